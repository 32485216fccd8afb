//! [`TraceMiddleware`]: the adapter.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;
use tracing::Level;
use tracing::level_filters::LevelFilter;

use super::span::{DispatchSpan, tell_failure};
use crate::context::Context;
use crate::error::Outcome;
use crate::message::Message;
use crate::pipeline::{Blocked, Either, Middleware, Next, block_on};

/// What [`Trace`](super::Trace) makes.
#[derive(Debug)]
pub struct TraceMiddleware {
    level: Level,
}

impl TraceMiddleware {
    pub(super) fn new(level: Level) -> Self {
        Self { level }
    }

    /// Whether somebody may listen: one load of a static.
    #[inline(always)]
    fn has_listener(&self) -> bool {
        self.level <= tracing::level_filters::STATIC_MAX_LEVEL
            && self.level <= LevelFilter::current()
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for TraceMiddleware {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let dispatch = match self.has_listener() {
            true => DispatchSpan::begin::<M>(self.level, cx),
            false => None,
        };
        match dispatch {
            None => Either::off(Untraced::<M, _> {
                rest: next.run(msg, cx),
                _message: PhantomData,
            }),
            Some(dispatch) => Either::on(Traced::<M, _> {
                rest: dispatch.span.in_scope(|| next.run(msg, cx)),
                dispatch,
                cx,
                _message: PhantomData,
            }),
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        if self.has_listener() {
            return block_on::<M>(self.handle(msg, cx, next), cx);
        }
        let outcome = next.block(msg, cx)?;
        if outcome.is_err() {
            tell_failure::<M>(&outcome);
        }
        Ok(outcome)
    }
}

pin_project! {
    /// A dispatch to whose span nobody listens: a failure is told all the same.
    struct Untraced<M, F> {
        #[pin]
        rest: F,
        _message: PhantomData<fn(M)>,
    }
}

impl<M, F> Future for Untraced<M, F>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let polled = self.project().rest.poll(task);
        match polled {
            Poll::Ready(outcome @ Err(_)) => {
                tell_failure::<M>(&outcome);
                Poll::Ready(outcome)
            }
            other => other,
        }
    }
}

pin_project! {
    /// A dispatch in its span, in each poll of it.
    struct Traced<'c, M, F> {
        #[pin]
        rest: F,
        dispatch: DispatchSpan,
        cx: &'c Context<'c>,
        _message: PhantomData<fn(M)>,
    }
}

impl<M, F> Future for Traced<'_, M, F>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let this = self.project();
        let outcome = {
            let _inside = this.dispatch.span.enter();
            ready!(this.rest.poll(task))
        };
        this.dispatch.end::<M>(&outcome, this.cx);
        Poll::Ready(outcome)
    }
}
