//! [`TimeoutMiddleware`]: gives each message its time.

use std::fmt;
use std::time::Duration;

use super::TimeoutPolicy;
use super::timed::{Time, Timed};
use crate::context::{Bound, Context, Interrupt};
use crate::error::{Error, Outcome, Phase};
use crate::message::Message;
use crate::nanos::nanos;
use crate::pipeline::{Blocked, Middleware, Next, block_on};
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

impl<C> TimeoutMiddleware<C> {
    /// What holds inside, and the tick at which this layer ends the rest; or by how much it is late.
    #[inline(always)]
    fn bound<M>(&self, msg: &M, cx: &Context<'_>) -> Result<(Bound, u64), u64>
    where
        C: Choose<M>,
    {
        let start = cx.entry_tick();
        let given = self.choose.nanos(msg, cx);
        let end = start.saturating_add(given.unwrap_or_else(|| self.policy.nanos()));
        let limit = end.min(cx.expiry_tick());
        if limit <= start {
            return Err(start - limit);
        }
        Ok((Bound::until(limit), end.min(cx.deadline_tick())))
    }
}

#[cold]
fn late<E>(late_by: u64) -> Error<E> {
    Interrupt::Late(Duration::from_nanos(late_by)).into_error(Phase::NotStarted)
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
        let (bound, end) = match self.bound(&msg, cx) {
            Ok(bound) => bound,
            Err(late_by) => return Timed::<M, _>::refused(late(late_by)),
        };
        Timed::Running {
            rest: {
                let _within = cx.limit().enter(bound);
                next.run(msg, cx)
            },
            time: Time {
                cx,
                policy: &self.policy,
                bound,
                end,
                due: None,
            },
        }
    }

    /// As a limit that whoever waits on this thread keeps. With a grace it is not that simple: then as
    /// the future that it is elsewhere.
    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        if !self.policy.grace().is_zero() {
            return block_on::<M>(self.handle(msg, cx, next), cx);
        }
        let (bound, end) = match self.bound(&msg, cx) {
            Ok(bound) => bound,
            Err(late_by) => return Ok(Err(late(late_by))),
        };
        let within = cx.limit().enter(bound);
        let blocked = next.block(msg, cx);
        drop(within);
        match blocked {
            Err(stopped) if stopped.is_limit_of(end) => {
                cx.handler_done();
                Ok(stopped.into_outcome::<M>(cx))
            }
            blocked => blocked,
        }
    }
}
