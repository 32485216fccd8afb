//! [`TimeoutLimit`]: gives each message its time.

use std::fmt;
use std::time::Duration;

use super::TimeoutPolicy;
use crate::clock::nanos;
use crate::context::Context;
use crate::message::Message;
use crate::middleware::Extract;
use crate::pipeline::Limit;
use crate::sync::PlainArc;

/// The middleware that gives each message its time, created by a [`Timeout`](super::Timeout) for each route.
pub struct TimeoutLimit<C = Fixed> {
    pub(super) policy: PlainArc<TimeoutPolicy>,
    choose: PlainArc<C>,
}

impl<C> TimeoutLimit<C> {
    pub(super) fn new(policy: PlainArc<TimeoutPolicy>, choose: PlainArc<C>) -> Self {
        Self { policy, choose }
    }
}

/// The default choice, which gives every message of a route the time of the layer.
#[derive(Clone, Copy, Debug)]
pub struct Fixed;

impl<M> Extract<M, Option<Duration>> for Fixed {
    #[inline(always)]
    fn extract(&self, _msg: &M, _cx: &Context<'_>) -> Option<Duration> {
        None
    }
}

impl<M: Message, C: Extract<M, Option<Duration>>> Limit<M> for TimeoutLimit<C> {
    #[inline(always)]
    fn nanos(&self, msg: &M, cx: &Context<'_>) -> u64 {
        let given = self.choose.extract(msg, cx);
        given.map_or_else(|| self.policy.nanos(), nanos)
    }

    #[inline(always)]
    fn grace(&self) -> u64 {
        self.policy.grace_nanos()
    }
}

impl<C> fmt::Debug for TimeoutLimit<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeoutLimit").field(&self.policy).finish()
    }
}
