//! [`Answered`]: the adapter from an [`Answer`] to a middleware.

use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::park::{Blocked, block_on};
use super::{Answer, Facts, Look, Middleware, Next, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;

/// An [`Answer`] as a middleware: `.wrap(Answered(answer))`, or the `Middleware` type of a layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Answered<A>(pub A);

impl<A> Answered<A> {
    #[cold]
    fn block_missed<M: Message>(
        &self,
        ticket: A::Ticket,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M>
    where
        A: Answer<M>,
    {
        block_on::<M>(self.0.answer(ticket, msg, cx, next), cx)
    }
}

impl<M: Message, A: Answer<M>> Middleware<M> for Answered<A> {
    const ROLE: Role = A::ROLE;

    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let (found, rest) = match self.0.look(&msg, cx) {
            Look::Found(found) => (Some(found), None),
            Look::Pass => {
                let passed = next.run(msg, cx);
                (None, Some(Rest::Passed { passed }))
            }
            Look::Missed(ticket) => {
                let missed = self.0.answer(ticket, msg, cx, next);
                (None, Some(Rest::Missed { missed }))
            }
        };
        AnsweredFuture::<M, A, _, _> { found, rest }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        match self.0.look(&msg, cx) {
            Look::Found(found) => Ok(A::give(found)),
            Look::Pass => next.block(msg, cx),
            Look::Missed(ticket) => self.block_missed(ticket, msg, cx, next),
        }
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }
}

pin_project! {
    // A struct rather than an enum, for the reason given at `GatedFuture`.
    struct AnsweredFuture<M: Message, A: Answer<M>, P, F> {
        found: Option<A::Found>,
        #[pin]
        rest: Option<Rest<P, F>>,
    }
}

pin_project! {
    #[project = RestProjection]
    enum Rest<P, F> {
        Passed { #[pin] passed: P },
        Missed { #[pin] missed: F },
    }
}

impl<M, A, P, F> Future for AnsweredFuture<M, A, P, F>
where
    M: Message,
    A: Answer<M>,
    P: Future<Output = Outcome<M>>,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let this = self.project();
        match this.rest.as_pin_mut().map(Rest::project) {
            Some(RestProjection::Passed { passed }) => passed.poll(task),
            Some(RestProjection::Missed { missed }) => poll_missed(missed, task),
            None => Poll::Ready(A::give(this.found.take().expect("polled after completion"))),
        }
    }
}

#[cold]
fn poll_missed<F: Future>(missed: Pin<&mut F>, task: &mut task::Context<'_>) -> Poll<F::Output> {
    missed.poll(task)
}
