//! [`QueuedBulkheadMiddleware`]: the adapter with a queue.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll, ready};
use std::time::Duration;

use pin_project_lite::pin_project;

use super::middleware::overloaded;
use super::wait::Wait;
use super::{BulkheadPolicy, Permit};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Blocked, Middleware, Next, block_on};
use crate::sync::PlainArc;

/// What [`QueuedBulkhead`](super::QueuedBulkhead) makes for a route.
pub struct QueuedBulkheadMiddleware {
    policy: PlainArc<BulkheadPolicy>,
    /// In nanoseconds.
    max_wait: u64,
}

impl QueuedBulkheadMiddleware {
    pub(super) fn new(policy: PlainArc<BulkheadPolicy>, max_wait: u64) -> Self {
        Self { policy, max_wait }
    }

    /// Begins at once where a permit is free, so that the message is handed on instead of being
    /// stored. `begin` runs the rest; it is here for its type, which cannot be written.
    #[inline(always)]
    fn enter_or_wait<'p, 'c, M: Message, N, B, F>(
        &'p self,
        msg: M,
        cx: &'c Context<'c>,
        next: N,
        begin: B,
    ) -> QueuedFuture<'p, 'c, M, N, B, F>
    where
        B: Fn(M, &'c Context<'c>, N) -> F,
    {
        match self.policy.try_acquire() {
            Some(permit) => QueuedFuture::entered(begin(msg, cx, next), permit),
            None => QueuedFuture::Waiting {
                wait: Wait {
                    policy: &self.policy,
                    cx,
                    max_wait: self.max_wait,
                    joined: None,
                },
                rest: Some((msg, next)),
                begin,
            },
        }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for QueuedBulkheadMiddleware {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        self.enter_or_wait(msg, cx, next, |msg, cx, next| next.run(msg, cx))
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        match self.policy.try_acquire() {
            Some(_permit) => next.block(msg, cx),
            None => block_on::<M>(self.handle(msg, cx, next), cx),
        }
    }
}

pin_project! {
    #[project = QueuedProjection]
    enum QueuedFuture<'p, 'c, M: Message, N, B, F> {
        Entered {
            // Before `permit`, and so dropped before it: it is held while the rest is there.
            #[pin]
            rest: F,
            permit: Option<Permit<'p>>,
        },
        Waiting {
            wait: Wait<'p, 'c>,
            rest: Option<(M, N)>,
            begin: B,
        },
        Refused {
            error: Option<Error<M::Error>>,
        },
    }
}

impl<'p, 'c, M: Message, N, B, F> QueuedFuture<'p, 'c, M, N, B, F> {
    #[inline(always)]
    fn entered(rest: F, permit: Permit<'p>) -> Self {
        let permit = Some(permit);
        Self::Entered { rest, permit }
    }

    #[cold]
    fn refused(policy: &BulkheadPolicy) -> Self {
        let error = Some(overloaded(policy));
        Self::Refused { error }
    }
}

impl<'p, 'c, M: Message, N, B, F> QueuedFuture<'p, 'c, M, N, B, F>
where
    B: Fn(M, &'c Context<'c>, N) -> F,
{
    /// Ready when it no longer waits.
    #[cold]
    fn poll_wait(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let QueuedProjection::Waiting { wait, rest, begin } = self.as_mut().project() else {
            return Poll::Ready(());
        };
        let permit = ready!(wait.poll(task));
        let after = match (permit, rest.take()) {
            (Some(permit), Some((msg, next))) => Self::entered(begin(msg, wait.cx, next), permit),
            _ => Self::refused(wait.policy),
        };
        self.set(after);
        Poll::Ready(())
    }
}

impl<'c, M, N, B, F> Future for QueuedFuture<'_, 'c, M, N, B, F>
where
    M: Message,
    B: Fn(M, &'c Context<'c>, N) -> F,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        if matches!(*self, Self::Waiting { .. }) {
            ready!(self.as_mut().poll_wait(task));
        }
        match self.project() {
            // The outcome is taken apart: moved as a whole past what gives the permit back, it would
            // be written and read again in pieces of other sizes.
            QueuedProjection::Entered { rest, permit } => match ready!(rest.poll(task)) {
                Ok(reply) => {
                    drop(permit.take());
                    Poll::Ready(Ok(reply))
                }
                Err(error) => Poll::Ready(failed::<M>(permit, error)),
            },
            QueuedProjection::Refused { error } => {
                Poll::Ready(Err(error.take().expect("polled after completion")))
            }
            QueuedProjection::Waiting { .. } => Poll::Pending,
        }
    }
}

#[cold]
fn failed<M: Message>(permit: &mut Option<Permit<'_>>, error: Error<M::Error>) -> Outcome<M> {
    drop(permit.take());
    Err(error)
}

impl fmt::Debug for QueuedBulkheadMiddleware {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("QueuedBulkheadMiddleware")
            .field("policy", &self.policy)
            .field("max_wait", &Duration::from_nanos(self.max_wait))
            .finish()
    }
}
