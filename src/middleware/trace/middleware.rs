//! [`TraceMiddleware`]: the adapter.

use std::marker::PhantomData;
use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;
use tracing::level_filters::LevelFilter;

use super::levels::Levels;
use super::span::{DispatchSpan, tell_failure};
use crate::context::Context;
use crate::error::Outcome;
use crate::message::Message;
use crate::pipeline::{Blocked, Either, Middleware, Next, block_on};

/// What [`Trace`](super::Trace) makes.
#[derive(Debug)]
pub struct TraceMiddleware {
    levels: Levels,
}

impl TraceMiddleware {
    pub(super) fn new(levels: Levels) -> Self {
        Self { levels }
    }

    /// Whether somebody may listen: one load of a static.
    #[inline(always)]
    fn has_listener(&self) -> bool {
        let level = self.levels.reply;
        level <= tracing::level_filters::STATIC_MAX_LEVEL && level <= LevelFilter::current()
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
            true => DispatchSpan::<M>::begin(self.levels, cx),
            false => None,
        };
        match dispatch {
            None => Either::off(Untraced::<M, _> {
                rest: next.run(msg, cx),
                levels: self.levels,
                _message: PhantomData,
            }),
            Some(dispatch) => Either::on(Traced {
                rest: Some(dispatch.span.in_scope(|| next.run(msg, cx))),
                dispatch,
            }),
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        if self.has_listener() {
            return block_on::<M>(self.handle(msg, cx, next), cx);
        }
        let outcome = next.block(msg, cx)?;
        if let Err(error) = &outcome {
            tell_failure::<M>(error, self.levels);
        }
        Ok(outcome)
    }
}

pin_project! {
    /// A dispatch to whose span nobody listens: a failure is told all the same.
    struct Untraced<M, F> {
        #[pin]
        rest: F,
        levels: Levels,
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
        let this = self.project();
        match this.rest.poll(task) {
            Poll::Ready(Err(error)) => {
                tell_failure::<M>(&error, *this.levels);
                Poll::Ready(Err(error))
            }
            other => other,
        }
    }
}

pin_project! {
    /// A dispatch in its span: made there, polled there, and dropped there, half way or when it is done.
    struct Traced<'c, M: Message, F> {
        #[pin]
        rest: Option<F>,
        dispatch: DispatchSpan<'c, M>,
    }

    impl<M: Message, F> PinnedDrop for Traced<'_, M, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _inside = this.dispatch.span.enter();
            this.rest.set(None);
        }
    }
}

impl<M, F> Future for Traced<'_, M, F>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let mut this = self.project();
        let outcome = {
            let _inside = this.dispatch.span.enter();
            let rest = this.rest.as_mut().as_pin_mut();
            let outcome = ready!(rest.expect("polled after completion").poll(task));
            this.rest.set(None);
            outcome
        };
        this.dispatch.end(&outcome);
        Poll::Ready(outcome)
    }
}
