//! [`Leaf`]: the handler, with the checks that every route has around its handler.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::middleware::sealed::Sealed;
use super::park::{Blocked, block_on};
use super::validate::validate;
use super::{Home, Next};
use crate::context::Context;
use crate::handler::Handler;
use crate::message::Message;
use crate::outcome::{Error, Outcome, panicked};
use crate::sync::drop_caught;

/// Validates the message, runs the handler, and catches a panic of either: while the handler makes its
/// future, while the future runs, and while the finished future is dropped.
pub struct Leaf<H> {
    handler: H,
    home: Home,
}

impl<H> Leaf<H> {
    pub(crate) fn new(handler: H) -> Self {
        Self {
            handler,
            home: Home::default(),
        }
    }
}

impl<H> Sealed for Leaf<H> {}

impl<M: Message, H: Handler<M>> Next<M> for Leaf<H> {
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run(&self, msg: M, cx: &Context<'_>) -> impl Future<Output = Outcome<M>> + Send {
        let mut future = LeafFuture::<M, _> {
            handling: None,
            failed: None,
            cx,
        };
        if let Err(error) = validate(&msg) {
            future.failed = Some(error);
            return future;
        }
        // By reference in both directions: a debug build copies a value nine times on its way through
        // `catch_unwind`.
        let mut msg = Some(msg);
        let make = || {
            if let Some(msg) = msg.take() {
                future.handling = Some(self.handler.handle(msg, cx));
            }
        };
        if let Err(payload) = catch_unwind(AssertUnwindSafe(make)) {
            future.failed = Some(panicked(payload));
        }
        future
    }

    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn block(&self, msg: M, cx: &Context<'_>) -> Blocked<M> {
        block_on::<M>(self.run(msg, cx), cx)
    }

    fn home(&self) -> &Home {
        &self.home
    }
}

pin_project! {
    // A struct, like `GatedFuture`, and made in one place only, because a debug build copies each field once
    // more.
    struct LeafFuture<'a, M: Message, F> {
        #[pin]
        handling: Option<F>,
        failed: Option<Error<M::Error>>,
        cx: &'a Context<'a>,
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
        let mut this = self.project();
        let Some(handling) = this.handling.as_mut().as_pin_mut() else {
            return Poll::Ready(Err(failure(this.failed)));
        };
        // The closure is kept this small so that the compiler inlines it into every lane.
        let polled = catch_unwind(AssertUnwindSafe(|| handling.poll(task)));
        let outcome = match polled {
            Ok(Poll::Pending) => return Poll::Pending,
            Ok(Poll::Ready(Ok(reply))) => Ok(reply),
            Ok(Poll::Ready(Err(error))) => Err(Error::Handler(error)),
            Err(payload) => Err(panicked(payload)),
        };
        this.cx.handler_done();
        if std::mem::needs_drop::<F>() {
            drop_caught(|| this.handling.set(None));
        }
        Poll::Ready(outcome)
    }
}

#[cold]
fn failure<E>(failed: &mut Option<Error<E>>) -> Error<E> {
    failed
        .take()
        .expect("a pipeline was polled after completion")
}

debug_name!([H] Leaf<H>, "Leaf");
