//! [`Wait`]: a dispatch that found no permit, and the time it has.

use std::task::{self, Poll};

use super::{BulkheadPolicy, Permit, Turn};
use crate::clock::Due;
use crate::context::Context;

/// Joins the queue when it is first polled.
pub(super) struct Wait<'p, 'c> {
    pub(super) policy: &'p BulkheadPolicy,
    pub(super) cx: &'c Context<'c>,
    /// In nanoseconds.
    pub(super) max_wait: u64,
    pub(super) joined: Option<Joined<'p>>,
}

pub(super) struct Joined<'p> {
    turn: Turn<'p>,
    /// When it gives up.
    end: Due,
}

impl<'p> Wait<'p, '_> {
    /// `None` if there is no permit to be had: the queue is full, or the time is over.
    #[cold]
    pub(super) fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Option<Permit<'p>>> {
        match &mut self.joined {
            None => self.join(task),
            Some(joined) => joined.poll(self.cx, task),
        }
    }

    fn join(&mut self, task: &mut task::Context<'_>) -> Poll<Option<Permit<'p>>> {
        let now = self.cx.entry_tick();
        let until = now.saturating_add(self.max_wait).min(expiry(self.cx));
        if until <= now {
            return Poll::Ready(None);
        }
        let Some(mut turn) = self.policy.join() else {
            return Poll::Ready(None);
        };
        if let Some(permit) = turn.poll(task.waker()) {
            return Poll::Ready(Some(permit));
        }
        let end = Due::new(until);
        let joined = self.joined.insert(Joined { turn, end });
        joined.poll(self.cx, task)
    }
}

impl<'p> Joined<'p> {
    /// A permit that has come is taken whatever the time, unless the deadline has passed: what would be
    /// late anyhow is not begun.
    fn poll(&mut self, cx: &Context<'_>, task: &mut task::Context<'_>) -> Poll<Option<Permit<'p>>> {
        if let Some(permit) = self.turn.poll(task.waker()) {
            return Poll::Ready((cx.waited() < expiry(cx)).then_some(permit));
        }
        match self.end.poll(cx.clock(), task.waker()) {
            Some(_) => Poll::Ready(None),
            None => Poll::Pending,
        }
    }
}

fn expiry(cx: &Context<'_>) -> u64 {
    cx.expiry().unwrap_or(u64::MAX)
}
