//! [`Watch`]: wakes a waiting dispatch at its deadline and its cancellation.

use std::task::Waker;

use smallvec::SmallVec;

use super::cancel::CancelWatch;
use super::{Context, Interrupt, NEVER};
use crate::clock::Due;

/// The wake-ups that a waiting dispatch has armed, removed on drop.
///
/// Created only when a handler is pending: a dispatch that never waits arms no timer and registers
/// with no token.
pub(crate) struct Watch {
    due: Option<Due>,
    tokens: SmallVec<[CancelWatch; 1]>,
}

impl Watch {
    /// Makes sure that `waker` is woken when the context is interrupted. `place` holds the state
    /// for that.
    ///
    /// Called after the handler was polled and is pending, so that a handler that is ready on the
    /// last wake-up still wins. A limit that a middleware has set is not watched here: that
    /// middleware stops its inner service itself.
    #[cold]
    pub(crate) fn bounds(
        place: &mut Option<Box<Self>>,
        cx: &Context<'_>,
        waker: &Waker,
    ) -> Result<(), Interrupt> {
        if !cx.is_limited() {
            return Ok(());
        }
        place
            .get_or_insert_with(|| Box::new(Self::new(cx, cx.tick)))
            .poll(cx, waker)
    }

    /// Creates a watch that also covers the limit of a middleware, as it is at this moment.
    pub(crate) fn until_expiry(cx: &Context<'_>) -> Self {
        Self::new(cx, cx.expiry_tick())
    }

    fn new(cx: &Context<'_>, tick: u64) -> Self {
        Self {
            due: (tick != NEVER).then(|| Due::new(tick)),
            tokens: cx.tokens().cloned().map(CancelWatch::new).collect(),
        }
    }

    pub(crate) fn poll(&mut self, cx: &Context<'_>, waker: &Waker) -> Result<(), Interrupt> {
        // Every token is registered, whether or not an earlier one is cancelled.
        let cancelled = self
            .tokens
            .iter_mut()
            .fold(false, |any, token| token.poll(waker) | any);
        if cancelled {
            return Err(Interrupt::Cancelled);
        }
        let due = self.due.as_mut();
        match due.and_then(|due| due.poll(cx.clock(), waker)) {
            Some(now) => Err(Interrupt::late(cx, now, cx.time_limit())),
            None => Ok(()),
        }
    }
}
