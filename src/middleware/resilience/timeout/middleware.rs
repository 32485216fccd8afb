//! [`TimeoutMiddleware`]: gives each message its time.

use std::fmt;
use std::time::Duration;

use super::TimeoutPolicy;
use super::timed::{Time, Timed, owner};
use crate::clock::nanos;
use crate::context::{Bound, Context, Interrupt};
use crate::message::Message;
use crate::outcome::{Error, Outcome, Phase, TimeLimit};
use crate::pipeline::{Blocked, Middleware, Next, Stopped, block_on, late};
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
    /// What holds inside, and the tick at which this layer ends the inner service; or the error of a message
    /// that is late.
    #[inline(always)]
    fn bound<M: Message>(&self, msg: &M, cx: &Context<'_>) -> Result<(Bound, u64), Error<M::Error>>
    where
        C: Choose<M>,
    {
        let start = cx.entry_tick();
        let given = self.choose.nanos(msg, cx);
        let end = start.saturating_add(given.unwrap_or_else(|| self.policy.nanos()));
        let limit = end.min(cx.expiry_tick());
        if limit <= start {
            return Err(refused(end, start, cx));
        }
        Ok((Bound::until(limit), end.min(cx.deadline_tick())))
    }

    /// The time of a message that waits, or the error of one that is late.
    #[inline(always)]
    fn time<'p, 'a, M: Message>(
        &'p self,
        msg: &M,
        cx: &'a Context<'a>,
    ) -> Result<Time<'p, 'a>, Error<M::Error>>
    where
        C: Choose<M>,
    {
        let (bound, end) = self.bound(msg, cx)?;
        Ok(Time {
            cx,
            policy: &self.policy,
            bound,
            end,
            due: None,
        })
    }
}

/// The error of a message that comes at the tick `start`, after its time: the layer's ends at `end`.
#[cold]
fn refused<E>(end: u64, start: u64, cx: &Context<'_>) -> Error<E> {
    let outer = cx.expiry_tick();
    let limit = match end < outer {
        true => TimeLimit::Layer,
        false => cx.time_limit(),
    };
    let elapsed = Duration::from_nanos(start - end.min(outer));
    Interrupt::Late { elapsed, limit }.into_error(Phase::NotStarted)
}

/// The error of what was stopped by the limit of the layer that ends the inner service at `end`.
#[cold]
fn ended<E>(stopped: Stopped, end: u64, cx: &Context<'_>) -> Option<Error<E>> {
    let now = stopped.limited_at()?;
    let limit = Bound::until(end)
        .has_passed(now)
        .then(|| owner(end, cx))??;
    cx.handler_done();
    Some(late(cx, now, limit))
}

impl<C> TimeoutMiddleware<C> {
    #[cold]
    #[inline(never)]
    fn block_with_grace<M: Message>(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M>
    where
        C: Choose<M>,
    {
        block_on::<M>(self.handle(msg, cx, next), cx)
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

#[diagnostic::do_not_recommend]
impl<M: Message, C: Choose<M>> Middleware<M> for TimeoutMiddleware<C> {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        Self::handle_optional(Some(self), msg, cx, next)
    }

    /// Begins at once, so that the message is handed on instead of being stored a second time.
    #[inline(always)]
    fn handle_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let time = match this.map(|this| this.time(&msg, cx)).transpose() {
            Ok(time) => time,
            Err(error) => return Timed::<M, _>::refused(error),
        };
        Timed::Running {
            rest: {
                let _within = time.as_ref().map(Time::enter);
                next.run(msg, cx)
            },
            time,
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        Self::block_optional(Some(self), msg, cx, next)
    }

    /// As a limit that whoever waits on this thread keeps. With a grace it is not that simple: then as
    /// the future that it is elsewhere.
    #[inline(always)]
    fn block_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M> {
        if let Some(this) = this.filter(|this| !this.policy.grace().is_zero()) {
            return this.block_with_grace(msg, cx, next);
        }
        let bounded = match this.map(|this| this.bound(&msg, cx)).transpose() {
            Ok(bounded) => bounded,
            Err(error) => return Ok(Err(error)),
        };
        let within = bounded.map(|(bound, _)| cx.limit().enter(bound));
        let blocked = next.block(msg, cx);
        drop(within);
        match (blocked, bounded) {
            (Err(stopped), Some((_, end))) => {
                ended(stopped, end, cx).map_or(Err(stopped), |error| Ok(Err(error)))
            }
            (outcome, _) => outcome,
        }
    }
}
