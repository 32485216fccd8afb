//! [`Race`]: a first attempt, and its hedges once it has waited for long.

use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::HedgePolicy;
use super::waiting::Waiting;
use crate::context::Context;
use crate::message::{Message, Query};
use crate::outcome::Outcome;
use crate::sync::drop_caught;

pin_project! {
    #[project = RaceProjection]
    pub(super) struct Race<'h, 'c, M: Message, B, F, G> {
        // `None` once the first attempt has ended.
        #[pin]
        first: Option<F>,
        // A copy of the message, if it may be hedged.
        kept: Option<M>,
        // Runs the inner service again. A parameter of the type, because the type of the future cannot be
        // written.
        again: B,
        policy: &'h HedgePolicy,
        cx: &'c Context<'c>,
        // Set from the first pending poll on.
        waiting: Option<Waiting<'h, 'c, M, G>>,
    }
}

impl<'h, 'c, M, B, F, G> Race<'h, 'c, M, B, F, G>
where
    M: Message<Kind = Query> + Clone,
    B: Fn(u32, M) -> G,
    F: Future<Output = Outcome<M>>,
    G: Future<Output = Outcome<M>>,
{
    #[inline(always)]
    pub(super) fn begin(
        first: F,
        kept: Option<M>,
        again: B,
        policy: &'h HedgePolicy,
        cx: &'c Context<'c>,
    ) -> Self {
        Self {
            first: Some(first),
            kept,
            again,
            policy,
            cx,
            waiting: None,
        }
    }

    #[cold]
    #[inline(never)]
    fn begin_to_wait(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let mut this = self.project();
        let waiting = Waiting::begin(this.policy, this.cx, this.kept.is_some());
        *this.waiting = Some(waiting);
        let outcome = this.hedge_when_due(task);
        this.end_with(outcome)
    }

    #[cold]
    #[inline(never)]
    fn poll_waiting(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let mut this = self.project();
        let outcome = this
            .poll_first(task)
            .or_else(|| this.waiting.as_mut()?.poll_hedges(task))
            .or_else(|| this.hedge_when_due(task));
        this.end_with(outcome)
    }
}

impl<M, B, F, G> Future for Race<'_, '_, M, B, F, G>
where
    M: Message<Kind = Query> + Clone,
    B: Fn(u32, M) -> G,
    F: Future<Output = Outcome<M>>,
    G: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        if self.waiting.is_some() {
            return self.poll_waiting(task);
        }
        let first = self.as_mut().project().first.as_pin_mut();
        match first.expect("polled after completion").poll(task) {
            Poll::Ready(outcome) => Poll::Ready(outcome),
            Poll::Pending => self.begin_to_wait(task),
        }
    }
}

impl<M, B, F, G> RaceProjection<'_, '_, '_, M, B, F, G>
where
    M: Message<Kind = Query> + Clone,
    B: Fn(u32, M) -> G,
    F: Future<Output = Outcome<M>>,
    G: Future<Output = Outcome<M>>,
{
    /// Polls the first attempt, and returns the outcome if that decides the race now.
    fn poll_first(&mut self, task: &mut task::Context<'_>) -> Option<Outcome<M>> {
        let Poll::Ready(outcome) = self.first.as_mut().as_pin_mut()?.poll(task) else {
            return None;
        };
        drop_caught(|| self.first.set(None));
        self.waiting.as_mut()?.first_ended(outcome)
    }

    /// Starts the hedges that are due, and returns the outcome if a hedge decides the race at once.
    fn hedge_when_due(&mut self, task: &mut task::Context<'_>) -> Option<Outcome<M>> {
        let waiting = self.waiting.as_mut()?;
        while let Some(now) = waiting.is_due(task.waker()) {
            let (attempt, msg) = waiting.next_attempt(self.kept, now)?;
            let hedge = (self.again)(attempt, msg);
            if let Some(outcome) = waiting.add(hedge, task) {
                return Some(outcome);
            }
        }
        None
    }

    /// Drops the losers at once, if there is an outcome.
    fn end_with(&mut self, outcome: Option<Outcome<M>>) -> Poll<Outcome<M>> {
        let Some(outcome) = outcome else {
            return Poll::Pending;
        };
        drop_caught(|| self.first.set(None));
        if let Some(waiting) = self.waiting.take() {
            if waiting.has_hedged() {
                // An attempt that has lost may have finished earlier.
                self.cx.handler_done();
            }
            waiting.decided(&outcome);
        }
        Poll::Ready(outcome)
    }
}
