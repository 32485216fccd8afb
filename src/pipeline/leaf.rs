//! [`Leaf`]: the handler, with what every route has around it.

use std::any::Any;
use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::Next;
use super::middleware::sealed::Sealed;
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::handler::Handler;
use crate::message::Message;

/// Validates the message and runs the handler; catches a panic of either, of the handler while it
/// makes its future, while the future runs, and while the future is dropped, finished or half way.
pub struct Leaf<H> {
    handler: H,
}

impl<H> Leaf<H> {
    pub(super) fn new(handler: H) -> Self {
        Self { handler }
    }
}

impl<H> Sealed for Leaf<H> {}

impl<M: Message, H: Handler<M>> Next<M> for Leaf<H> {
    #[inline(always)]
    fn run(&self, msg: M, cx: &Context<'_>) -> impl Future<Output = Outcome<M>> + Send {
        match catch_unwind(AssertUnwindSafe(|| msg.validate())) {
            Ok(Ok(())) => {}
            Ok(Err(violations)) => return LeafFuture::<M, _>::failed(Error::Invalid(violations)),
            Err(payload) => return LeafFuture::failed(panicked(payload)),
        }
        match catch_unwind(AssertUnwindSafe(|| self.handler.handle(msg, cx))) {
            Ok(handling) => LeafFuture::running(handling, cx),
            Err(payload) => LeafFuture::failed(panicked(payload)),
        }
    }
}

pin_project! {
    struct LeafFuture<'a, M: Message, F> {
        #[pin]
        state: State<'a, M, F>,
    }

    impl<M: Message, F> PinnedDrop for LeafFuture<'_, M, F> {
        #[inline(always)]
        fn drop(this: Pin<&mut Self>) {
            this.project().state.drop_handling();
        }
    }
}

pin_project! {
    #[project = StateProjection]
    enum State<'a, M: Message, F> {
        Running { #[pin] handling: F, cx: &'a Context<'a> },
        Failed { error: Option<Error<M::Error>> },
        Done,
    }
}

impl<'a, M: Message, F> LeafFuture<'a, M, F> {
    #[inline(always)]
    fn running(handling: F, cx: &'a Context<'a>) -> Self {
        let state = State::Running { handling, cx };
        Self { state }
    }

    #[cold]
    fn failed(error: Error<M::Error>) -> Self {
        let state = State::Failed { error: Some(error) };
        Self { state }
    }
}

impl<M: Message, F> State<'_, M, F> {
    #[cold]
    fn take_failure(self: Pin<&mut Self>) -> Error<M::Error> {
        match self.project() {
            StateProjection::Failed { error } => error.take(),
            _ => None,
        }
        .expect("a pipeline was polled after completion")
    }

    /// Drops the handler's future, finished or half way; it may panic.
    #[inline(always)]
    fn drop_handling(mut self: Pin<&mut Self>) {
        if std::mem::needs_drop::<F>() && matches!(*self, Self::Running { .. }) {
            drop_caught(|| self.set(Self::Done));
        }
    }
}

impl<M, F> Future for LeafFuture<'_, M, F>
where
    M: Message,
    F: Future<Output = Result<M::Reply, M::Error>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let mut state = self.project().state;
        let StateProjection::Running { handling, cx } = state.as_mut().project() else {
            return Poll::Ready(Err(state.take_failure()));
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
        state.drop_handling();
        Poll::Ready(outcome)
    }
}

/// The error of a caught panic. Dropping the payload may panic in turn.
#[cold]
fn panicked<E>(payload: Box<dyn Any + Send>) -> Error<E> {
    let message = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .into();
    drop_caught(|| drop(payload));
    Error::Panicked { message }
}

/// Runs a drop that may panic; what such a panic leaves is leaked.
#[inline(always)]
fn drop_caught(dropping: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(dropping)) {
        std::mem::forget(payload);
    }
}

impl<H> fmt::Debug for Leaf<H> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Leaf")
    }
}
