//! [`RateLimitGate`]: the adapter of a limit that refuses.

use std::time::Duration;

use super::RateLimitPolicy;
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::message::Message;
use crate::pipeline::Gate;
use crate::sync::PlainArc;

/// What [`RateLimit`](super::RateLimit) makes.
#[derive(Debug)]
pub struct RateLimitGate {
    policy: PlainArc<RateLimitPolicy>,
}

impl RateLimitGate {
    pub(super) fn new(policy: PlainArc<RateLimitPolicy>) -> Self {
        Self { policy }
    }
}

impl<M: Message> Gate<M> for RateLimitGate {
    type Pass = ();

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        self.policy.check_at(1, cx.entry_tick()).map_err(refused)
    }

    #[inline(always)]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

/// The error of a message that may come again in so many nanoseconds.
#[cold]
pub(super) fn refused<E>(wait: u64) -> Error<E> {
    Error::RateLimited {
        retry_after: Duration::from_nanos(wait),
    }
}
