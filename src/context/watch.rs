//! [`Watch`]: how a dispatch that waits learns of its deadline and its cancellation.

use std::task::Waker;
use std::time::Duration;

use smallvec::SmallVec;

use super::cancel::CancelWatch;
use super::{Context, Interrupt, NEVER};
use crate::clock::Alarm;

/// The wake-ups that a waiting dispatch has asked for; gone when dropped.
///
/// Made only when a handler is pending: a dispatch that never waits arms no timer and registers with
/// no token.
pub(crate) struct Watch {
    alarm: Option<Alarm>,
    tokens: SmallVec<[CancelWatch; 1]>,
}

impl Watch {
    /// Called after the handler was polled and is pending, so that a handler that is ready on the
    /// last wake-up still wins. Makes sure `waker` is woken when the context is interrupted; `place`
    /// holds what that takes.
    #[cold]
    pub(crate) fn poll(
        place: &mut Option<Box<Self>>,
        cx: &Context<'_>,
        waker: &Waker,
    ) -> Result<(), Interrupt> {
        if !cx.is_limited() {
            return Ok(());
        }
        place
            .get_or_insert_with(|| Box::new(Self::new(cx)))
            .check(cx, waker)
    }

    fn new(cx: &Context<'_>) -> Self {
        Self {
            alarm: None,
            tokens: cx.tokens().cloned().map(CancelWatch::new).collect(),
        }
    }

    fn check(&mut self, cx: &Context<'_>, waker: &Waker) -> Result<(), Interrupt> {
        // Every token is registered, whatever the ones before it say.
        let cancelled = self
            .tokens
            .iter_mut()
            .fold(false, |any, token| token.poll(waker) | any);
        if cancelled {
            return Err(Interrupt::Cancelled);
        }
        if cx.tick == NEVER {
            return Ok(());
        }
        self.poll_alarm(cx, waker)
    }

    fn poll_alarm(&mut self, cx: &Context<'_>, waker: &Waker) -> Result<(), Interrupt> {
        let now = cx.clock().ticks();
        if now >= cx.tick {
            let start = cx.timing.start(cx.clock());
            return Err(Interrupt::Late(Duration::from_nanos(
                now.saturating_sub(start),
            )));
        }
        match &mut self.alarm {
            Some(alarm) => alarm.update(waker),
            None => self.alarm = Some(cx.clock().arm(cx.tick, waker)),
        }
        Ok(())
    }
}
