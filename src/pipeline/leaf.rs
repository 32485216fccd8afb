//! [`Leaf`]: the handler, with what every route has around it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::Next;
use super::middleware::sealed::Sealed;
use super::park::{Blocked, block_on};
use super::validate::validate;
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::handler::Handler;
use crate::message::Message;
use crate::unwind::drop_caught;

/// Validates the message and runs the handler; catches a panic of either, of the handler while it
/// makes its future, while the future runs, and while the finished future is dropped.
pub struct Leaf<H> {
    handler: H,
}

impl<H> Leaf<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self { handler }
    }
}

impl<H> Sealed for Leaf<H> {}

impl<M: Message, H: Handler<M>> Next<M> for Leaf<H> {
    #[inline(always)]
    fn run(&self, msg: M, cx: &Context<'_>) -> impl Future<Output = Outcome<M>> + Send {
        if let Err(error) = validate(&msg) {
            return LeafFuture::<M, _>::failed(error);
        }
        match catch_unwind(AssertUnwindSafe(|| self.handler.handle(msg, cx))) {
            Ok(handling) => LeafFuture::Running { handling, cx },
            Err(payload) => LeafFuture::failed(panicked(payload)),
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>) -> Blocked<M> {
        block_on::<M>(self.run(msg, cx), cx)
    }
}

pin_project! {
    #[project = LeafProjection]
    enum LeafFuture<'a, M: Message, F> {
        Running { #[pin] handling: F, cx: &'a Context<'a> },
        Failed { error: Option<Error<M::Error>> },
        Done,
    }
}

impl<M: Message, F> LeafFuture<'_, M, F> {
    #[cold]
    fn failed(error: Error<M::Error>) -> Self {
        Self::Failed { error: Some(error) }
    }

    #[cold]
    fn take_failure(self: Pin<&mut Self>) -> Error<M::Error> {
        match self.project() {
            LeafProjection::Failed { error } => error.take(),
            _ => None,
        }
        .expect("a pipeline was polled after completion")
    }
}

impl<M, F> Future for LeafFuture<'_, M, F>
where
    M: Message,
    F: Future<Output = Result<M::Reply, M::Error>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let LeafProjection::Running { handling, cx } = self.as_mut().project() else {
            return Poll::Ready(Err(self.take_failure()));
        };
        // The closure is kept this small so that it is inlined into every lane.
        let polled = catch_unwind(AssertUnwindSafe(|| handling.poll(task)));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(reply))) => Ok(reply),
            Ok(Poll::Ready(Err(error))) => Err(Error::Handler(error)),
            Err(payload) => Err(panicked(payload)),
        };
        cx.handler_done();
        if std::mem::needs_drop::<F>() {
            drop_caught(|| self.set(Self::Done));
        }
        Poll::Ready(outcome)
    }
}

/// The error of a caught panic. Dropping the payload may panic in turn.
#[cold]
pub(crate) fn panicked<E>(payload: Box<dyn Any + Send>) -> Error<E> {
    let message = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .into();
    drop_caught(|| drop(payload));
    Error::Panicked { message }
}

impl<H> fmt::Debug for Leaf<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leaf")
    }
}
