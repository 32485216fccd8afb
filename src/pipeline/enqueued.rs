//! [`Enqueued`]: the adapter from a queue to a middleware.

use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;

use super::park::{Blocked, block_on};
use super::{Enqueue, Facts, Middleware, Next, Role};
use crate::context::{Context, Interrupt};
use crate::message::Message;
use crate::outcome::{Error, Outcome, Phase};

/// A queue as a middleware: `.wrap(Enqueued(queue))`, or the `Middleware` type of a queue's layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Enqueued<E>(pub E);

impl<M: Message, E: Enqueue<M>> Middleware<M> for Enqueued<E> {
    const ROLE: Role = E::ROLE;

    /// Begins at once if the message passes, so that the message is handed on instead of being stored.
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let begin = move |msg| next.run(msg, cx);
        match self.0.try_enter(&msg, cx) {
            Ok(pass) => EnqueuedFuture::entered(begin(msg), pass),
            Err(ticket) => EnqueuedFuture::waiting(self.0.wait(ticket, cx), msg, cx, begin),
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        match self.0.try_enter(&msg, cx) {
            Ok(_pass) => next.block(msg, cx),
            Err(ticket) => {
                let wait = self.0.wait(ticket, cx);
                let begin = move |msg| next.run(msg, cx);
                block_on::<M>(EnqueuedFuture::waiting(wait, msg, cx, begin), cx)
            }
        }
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }
}

pin_project! {
    #[project = EnqueuedProjection]
    enum EnqueuedFuture<'c, M: Message, P, W, B, F> {
        Entered {
            // Declared before `pass`, and so dropped first: the pass is held while the inner service exists.
            #[pin]
            rest: F,
            pass: Option<P>,
        },
        Waiting {
            #[pin]
            wait: W,
            msg: Option<M>,
            cx: &'c Context<'c>,
            // A closure that runs the inner service, held in a field because its type cannot be written.
            begin: B,
        },
        Refused {
            error: Option<Error<M::Error>>,
        },
    }
}

impl<'c, M, P, W, B, F> EnqueuedFuture<'c, M, P, W, B, F>
where
    M: Message,
    W: Future<Output = Result<P, Error<M::Error>>>,
    B: Fn(M) -> F,
{
    #[inline(always)]
    fn entered(rest: F, pass: P) -> Self {
        let pass = Some(pass);
        Self::Entered { rest, pass }
    }

    #[inline(always)]
    fn waiting(wait: W, msg: M, cx: &'c Context<'c>, begin: B) -> Self {
        Self::Waiting {
            wait,
            msg: Some(msg),
            cx,
            begin,
        }
    }

    /// Polls the wait, and returns ready when the message no longer waits.
    #[cold]
    fn poll_wait(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let EnqueuedProjection::Waiting {
            wait,
            msg,
            cx,
            begin,
        } = self.as_mut().project()
        else {
            return Poll::Ready(());
        };
        let after = match ready!(poll_turn::<M, _, _>(wait, cx, task)) {
            Ok(pass) => Self::entered(begin(msg.take().expect("kept while it waits")), pass),
            Err(error) => Self::Refused { error: Some(error) },
        };
        self.set(after);
        Poll::Ready(())
    }
}

/// Polls the wait of a message whose caller is still there. A cancelled message is polled once more before
/// the drop, and then says that its handler did not run.
fn poll_turn<M, W, P>(
    wait: Pin<&mut W>,
    cx: &Context<'_>,
    task: &mut task::Context<'_>,
) -> Poll<Result<P, Error<M::Error>>>
where
    M: Message,
    W: Future<Output = Result<P, Error<M::Error>>>,
{
    let not_started = |interrupt: Interrupt| interrupt.into_error(Phase::NotStarted);
    if cx.is_cancelled() {
        return Poll::Ready(Err(not_started(Interrupt::cancelled(cx))));
    }
    let pass = ready!(wait.poll(task))?;
    Poll::Ready(cx.may_begin().map(|()| pass).map_err(not_started))
}

impl<M, P, W, B, F> Future for EnqueuedFuture<'_, M, P, W, B, F>
where
    M: Message,
    W: Future<Output = Result<P, Error<M::Error>>>,
    B: Fn(M) -> F,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        if matches!(*self, Self::Waiting { .. }) {
            ready!(self.as_mut().poll_wait(task));
        }
        match self.project() {
            // The outcome is taken apart. If moved as a whole past the drop of the pass, the outcome would be
            // written and read again in pieces of other sizes.
            EnqueuedProjection::Entered { rest, pass } => match ready!(rest.poll(task)) {
                Ok(reply) => {
                    drop(pass.take());
                    Poll::Ready(Ok(reply))
                }
                Err(error) => Poll::Ready(failed::<M, P>(pass, error)),
            },
            EnqueuedProjection::Refused { error } => {
                Poll::Ready(Err(error.take().expect("polled after completion")))
            }
            EnqueuedProjection::Waiting { .. } => Poll::Pending,
        }
    }
}

#[cold]
fn failed<M: Message, P>(pass: &mut Option<P>, error: Error<M::Error>) -> Outcome<M> {
    drop(pass.take());
    Err(error)
}
