//! [`Limited`]: the adapter that limits the time of the inner service.

use std::time::Duration;

use super::park::{Blocked, Stopped, block_on, late};
use super::timed::{Time, Timed, owner};
use super::{Middleware, Next};
use crate::context::{Bound, Context, Interrupt};
use crate::message::Message;
use crate::outcome::{Error, Outcome, Phase, TimeLimit};

/// A policy that sets the time limit of the inner service.
///
/// Private, because the adapter gives its limit to the waiting thread instead of to a timer of its own. That
/// depends on how a bus keeps the limits of all layers together.
pub trait Limit<M: Message>: Send + Sync + 'static {
    /// Returns the time limit of a message, in nanoseconds.
    fn nanos(&self, msg: &M, cx: &Context<'_>) -> u64;

    /// Returns the time between telling a handler to end and dropping its future, in nanoseconds.
    fn grace(&self) -> u64;
}

/// A limit as a middleware, made by the timeout layer.
#[derive(Debug)]
pub struct Limited<L>(pub(crate) L);

impl<L> Limited<L> {
    /// Returns the bound for the inner service, and the tick at which this layer ends the inner service.
    /// Returns the error of a message that is late.
    #[inline(always)]
    fn bound<M: Message>(&self, msg: &M, cx: &Context<'_>) -> Result<(Bound, u64), Error<M::Error>>
    where
        L: Limit<M>,
    {
        let start = cx.entry_tick();
        let end = start.saturating_add(self.0.nanos(msg, cx));
        let limit = end.min(cx.expiry_tick());
        if limit <= start {
            return Err(refused(end, start, cx));
        }
        Ok((Bound::until(limit), end.min(cx.deadline_tick())))
    }

    /// Returns the time limit of a message that waits, or the error of a message that is late.
    #[inline(always)]
    fn time<'a, M: Message>(
        &self,
        msg: &M,
        cx: &'a Context<'a>,
    ) -> Result<Time<'a>, Error<M::Error>>
    where
        L: Limit<M>,
    {
        let (bound, end) = self.bound(msg, cx)?;
        Ok(Time {
            cx,
            grace: self.0.grace(),
            bound,
            end,
            due: None,
        })
    }

    #[cold]
    #[inline(never)]
    fn block_with_grace<M: Message>(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M>
    where
        L: Limit<M>,
    {
        block_on::<M>(self.handle(msg, cx, next), cx)
    }
}

/// Returns the error of a message that comes late, at the tick `start`, where the layer's own limit ends at
/// `end`.
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

/// Returns the error of a dispatch stopped by the limit of the layer that ends the inner service at `end`.
#[cold]
fn ended<E>(stopped: Stopped, end: u64, cx: &Context<'_>) -> Option<Error<E>> {
    let now = stopped.limited_at()?;
    let limit = Bound::until(end)
        .has_passed(now)
        .then(|| owner(end, cx))??;
    cx.handler_done();
    Some(late(cx, now, limit))
}

#[diagnostic::do_not_recommend]
impl<M: Message, L: Limit<M>> Middleware<M> for Limited<L> {
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

    /// Gives the limit to the thread that waits, which keeps it. A limit with a grace is less simple, and
    /// runs as the future of the async lane.
    #[inline(always)]
    fn block_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M> {
        if let Some(this) = this.filter(|this| this.0.grace() != 0) {
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
