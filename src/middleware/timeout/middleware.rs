//! [`TimeoutMiddleware`]: gives each message its time.

use std::fmt;
use std::time::Duration;

use super::TimeoutPolicy;
use super::policy::nanos;
use super::timed::{Time, Timed};
use crate::context::{Bound, Context};
use crate::error::Outcome;
use crate::message::Message;
use crate::pipeline::{Middleware, Next};
use crate::sync::PlainArc;

/// What a [`Timeout`](super::Timeout) makes of each route.
pub struct TimeoutMiddleware<C = Same> {
    policy: PlainArc<TimeoutPolicy>,
    choose: C,
}

impl<C> TimeoutMiddleware<C> {
    pub(super) fn new(policy: PlainArc<TimeoutPolicy>, choose: C) -> Self {
        Self { policy, choose }
    }
}

impl<C> fmt::Debug for TimeoutMiddleware<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeoutMiddleware")
            .field(&self.policy)
            .finish()
    }
}

/// How much time a message is given, in nanoseconds, if not what the route gives.
pub trait Choose<M>: Send + Sync + 'static {
    fn nanos(&self, msg: &M, cx: &Context<'_>) -> Option<u64>;
}

/// Each message of a route is given the same.
#[derive(Clone, Copy, Debug)]
pub struct Same;

impl<M> Choose<M> for Same {
    #[inline(always)]
    fn nanos(&self, _msg: &M, _cx: &Context<'_>) -> Option<u64> {
        None
    }
}

/// A closure chooses.
pub struct Chosen<F>(pub(super) PlainArc<F>);

impl<F> fmt::Debug for Chosen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chosen")
    }
}

impl<M, F> Choose<M> for Chosen<F>
where
    F: Fn(&M, &Context<'_>) -> Option<Duration> + Send + Sync + 'static,
{
    #[inline]
    fn nanos(&self, msg: &M, cx: &Context<'_>) -> Option<u64> {
        (self.0)(msg, cx).map(nanos)
    }
}

impl<M: Message, C: Choose<M>> Middleware<M> for TimeoutMiddleware<C> {
    /// Begins at once, so that the message is handed on instead of being stored a second time.
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let start = cx.entry_tick();
        let given = self.choose.nanos(&msg, cx);
        let end = start.saturating_add(given.unwrap_or_else(|| self.policy.nanos()));
        let limit = end.min(cx.expiry_tick());
        if limit <= start {
            return Timed::<M, _>::refused(start - limit);
        }
        let bound = Bound::until(limit);
        Timed::Running {
            rest: {
                let _within = cx.limit().enter(bound);
                next.run(msg, cx)
            },
            time: Time {
                cx,
                policy: &self.policy,
                bound,
                end: end.min(cx.deadline_tick()),
                due: None,
            },
        }
    }
}
