//! [`Wait`]: a dispatch in the queue, and the time it has.

use std::task::{self, Poll};

use super::{BulkheadPolicy, Permit, Turn};
use crate::clock::Alarm;
use crate::context::Context;

pub(super) struct Wait<'p, 'c> {
    turn: Turn<'p>,
    cx: &'c Context<'c>,
    /// The tick at which it gives up.
    until: u64,
    /// Armed by the first poll.
    alarm: Option<Alarm>,
}

impl<'p, 'c> Wait<'p, 'c> {
    /// `None` if the queue is full, or the deadline has passed.
    #[cold]
    pub(super) fn join(
        policy: &'p BulkheadPolicy,
        max_wait: u64,
        cx: &'c Context<'c>,
    ) -> Option<Self> {
        let now = cx.entry_tick();
        let until = now.saturating_add(max_wait).min(expiry(cx));
        if until <= now {
            return None;
        }
        Some(Self {
            turn: policy.join()?,
            cx,
            until,
            alarm: None,
        })
    }

    /// `None` if it gives up. A permit that has come is taken whatever the time, unless the deadline
    /// has passed: what would be late anyhow is not begun.
    #[cold]
    pub(super) fn poll(&mut self, task: &mut task::Context<'_>) -> Poll<Option<Permit<'p>>> {
        let permit = self.turn.poll(task.waker());
        let Some(alarm) = &mut self.alarm else {
            return self.first(permit, task);
        };
        let now = self.cx.waited();
        match permit {
            Some(permit) => Poll::Ready((now < expiry(self.cx)).then_some(permit)),
            None if now >= self.until => Poll::Ready(None),
            None => {
                alarm.update(task.waker());
                Poll::Pending
            }
        }
    }

    /// Nothing has been waited for yet.
    fn first(
        &mut self,
        permit: Option<Permit<'p>>,
        task: &task::Context<'_>,
    ) -> Poll<Option<Permit<'p>>> {
        if permit.is_some() {
            return Poll::Ready(permit);
        }
        let clock = self.cx.clock();
        self.alarm = Some(clock.arm(self.until, task.waker()));
        Poll::Pending
    }
}

fn expiry(cx: &Context<'_>) -> u64 {
    cx.expiry().unwrap_or(u64::MAX)
}
