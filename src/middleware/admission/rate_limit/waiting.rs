//! [`WaitingRateLimitMiddleware`]: the limit that messages wait for.

use std::pin::Pin;
use std::task::{self, Poll, Waker, ready};

use pin_project_lite::pin_project;

use super::bucket::Short;
use super::policy::{RateLimitPolicy, Refused, Reservation};
use crate::clock::Due;
use crate::clock::nanos;
use crate::context::{Context, Interrupt};
use crate::message::Message;
use crate::outcome::{Error, Outcome, Phase};
use crate::pipeline::{Blocked, Middleware, Next, block_on};
use crate::sync::PlainArc;

/// What [`WaitingRateLimit`](super::WaitingRateLimit) makes for a route.
#[derive(Debug)]
pub struct WaitingRateLimitMiddleware {
    policy: PlainArc<RateLimitPolicy>,
}

impl WaitingRateLimitMiddleware {
    pub(super) fn new(policy: PlainArc<RateLimitPolicy>) -> Self {
        Self { policy }
    }

    /// Begins at once where there is a token, so that the message is handed on instead of being
    /// stored. `begin` runs the rest; it is here for its type, which cannot be written.
    #[inline(always)]
    fn enter_or_wait<'p, 'c, M, F, B>(
        &'p self,
        msg: M,
        cx: &'c Context<'c>,
        begin: B,
    ) -> WaitingFuture<'p, 'c, M, F, B>
    where
        M: Message,
        B: Fn(M) -> F,
    {
        let now = cx.entry_tick();
        match self.policy.take(now, 1, 0, &|| cx.clock().ticks()) {
            Ok(_) => WaitingFuture::Entered { rest: begin(msg) },
            Err(short) => match self.reserve(short, now, cx) {
                Ok(reservation) => WaitingFuture::Waiting {
                    turn: Turn::new(reservation, cx),
                    msg: Some(msg),
                    begin,
                },
                Err(refused) => WaitingFuture::refused(refused),
            },
        }
    }

    #[cold]
    fn reserve(
        &self,
        short: Short,
        now: u64,
        cx: &Context<'_>,
    ) -> Result<Reservation<'_>, Refused> {
        // A turn at the very end of its time is too late.
        let time = cx
            .expiry()
            .map_or(u64::MAX, |end| end.saturating_sub(now).saturating_sub(1));
        let patience = nanos(self.policy.longest_wait()).min(time);
        self.policy.reserve_later(short, now, 1, patience)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for WaitingRateLimitMiddleware {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        self.enter_or_wait(msg, cx, move |msg| next.run(msg, cx))
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        match self
            .policy
            .check_at(cx.entry_tick(), 1, || cx.clock().ticks())
        {
            Ok(()) => next.block(msg, cx),
            Err(_) => block_on::<M>(self.handle(msg, cx, next), cx),
        }
    }
}

pin_project! {
    #[project = WaitingProjection]
    enum WaitingFuture<'p, 'c, M: Message, F, B> {
        Entered { #[pin] rest: F },
        Waiting { turn: Turn<'p, 'c>, msg: Option<M>, begin: B },
        Refused { error: Option<Error<M::Error>> },
    }
}

impl<M: Message, F, B: Fn(M) -> F> WaitingFuture<'_, '_, M, F, B> {
    #[cold]
    fn refused(refused: Refused) -> Self {
        Self::ended(refused.into_error())
    }

    fn ended(error: Error<M::Error>) -> Self {
        Self::Refused { error: Some(error) }
    }

    /// Ready when it no longer waits.
    #[cold]
    fn poll_turn(mut self: Pin<&mut Self>, waker: &Waker) -> Poll<()> {
        let WaitingProjection::Waiting { turn, msg, begin } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let after = match ready!(turn.poll(waker)) {
            Ok(()) => Self::Entered {
                rest: begin(msg.take().expect("kept while it waits")),
            },
            Err(interrupt) => Self::ended(interrupt.into_error(Phase::NotStarted)),
        };
        self.set(after);
        Poll::Ready(())
    }
}

impl<M, F, B> Future for WaitingFuture<'_, '_, M, F, B>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
    B: Fn(M) -> F,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        if matches!(*self, Self::Waiting { .. }) {
            ready!(self.as_mut().poll_turn(task.waker()));
        }
        match self.project() {
            WaitingProjection::Entered { rest } => rest.poll(task),
            WaitingProjection::Refused { error } => {
                Poll::Ready(Err(error.take().expect("polled after completion")))
            }
            WaitingProjection::Waiting { .. } => Poll::Pending,
        }
    }
}

/// A message's turn: when it comes, and what it has reserved for it.
struct Turn<'p, 'c> {
    reservation: Option<Reservation<'p>>,
    cx: &'c Context<'c>,
    due: Option<Due>,
}

impl<'p, 'c> Turn<'p, 'c> {
    #[cold]
    fn new(reservation: Reservation<'p>, cx: &'c Context<'c>) -> Self {
        Self {
            reservation: Some(reservation),
            cx,
            due: None,
        }
    }

    /// Ready when the turn has come, or will not.
    fn poll(&mut self, waker: &Waker) -> Poll<Result<(), Interrupt>> {
        // What is cancelled is polled once more before it is dropped: it gets to say that its handler
        // did not run.
        if self.cx.is_cancelled() {
            return Poll::Ready(Err(Interrupt::cancelled(self.cx)));
        }
        if !self.has_come(waker) {
            return Poll::Pending;
        }
        let now = self.cx.waited();
        if self.cx.expiry().is_some_and(|end| now >= end) {
            let limit = self.cx.time_limit();
            return Poll::Ready(Err(Interrupt::late(self.cx, now, limit)));
        }
        if let Some(reservation) = self.reservation.take() {
            reservation.used();
        }
        Poll::Ready(Ok(()))
    }

    fn has_come(&mut self, waker: &Waker) -> bool {
        let Some(reservation) = &self.reservation else {
            return true;
        };
        let turn = reservation.turn(waker);
        let due = match &mut self.due {
            Some(due) if due.tick() == turn => due,
            moved => moved.insert(Due::new(turn)),
        };
        due.poll(self.cx.clock(), waker).is_some()
    }
}

/// It leaves the line: those behind it move up.
impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.give_back_at(self.cx.clock().ticks());
        }
    }
}
