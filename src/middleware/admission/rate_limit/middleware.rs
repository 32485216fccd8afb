//! [`RateLimitGate`]: the limit in front of a handler.

use super::policy::{RateLimitPolicy, Refused};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::Gate;
use crate::sync::PlainArc;

/// Takes a token of a [`RateLimitPolicy`] for each message, or refuses the message. Made by
/// [`RateLimit`](super::RateLimit).
#[derive(Debug)]
pub struct RateLimitGate {
    pub(super) policy: PlainArc<RateLimitPolicy>,
}

impl RateLimitGate {
    pub(super) fn new(policy: PlainArc<RateLimitPolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for RateLimitGate {
    type Pass<'a> = ();

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        let taken = self
            .policy
            .check_at(cx.entry_tick(), 1, || cx.clock().ticks());
        taken.map_err(Refused::into_error)
    }

    #[inline(always)]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}
