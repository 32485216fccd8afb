//! [`TraceMiddleware`]: the adapter.

use std::pin::Pin;
use std::task::{self, Poll, ready};

use pin_project_lite::pin_project;
use tracing::level_filters::LevelFilter;

use super::levels::Levels;
use super::span::{DispatchSpan, tell_failure};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::pipeline::{Blocked, Middleware, Next};

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

    #[inline(always)]
    fn begin<'c, M: Message>(&self, cx: &'c Context<'c>) -> Option<DispatchSpan<'c, M>> {
        match self.has_listener() {
            true => DispatchSpan::begin(self.levels, cx),
            false => None,
        }
    }
}

/// Tells the end of a dispatch in its span. Where nobody listens to the span, a failure is told all the same.
#[inline(always)]
fn end<M: Message>(
    dispatch: &mut Option<DispatchSpan<'_, M>>,
    outcome: &Outcome<M>,
    levels: Levels,
) {
    match (dispatch, outcome) {
        (Some(dispatch), outcome) => dispatch.end(outcome),
        (None, Err(error)) => tell_failure::<M>(error, levels),
        (None, Ok(_)) => {}
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
        let dispatch = self.begin::<M>(cx);
        // One call for both, traced or not: each call has a copy of all that stands inside it.
        let rest = {
            let _inside = dispatch.as_ref().map(DispatchSpan::enter);
            next.run(msg, cx)
        };
        Traced {
            rest: Some(rest),
            dispatch,
            levels: self.levels,
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        let mut dispatch = self.begin::<M>(cx);
        let outcome = {
            let _inside = dispatch.as_ref().map(DispatchSpan::enter);
            next.block(msg, cx)?
        };
        end(&mut dispatch, &outcome, self.levels);
        Ok(outcome)
    }
}

pin_project! {
    /// A dispatch, in its span where somebody listens: made there, polled there, and dropped there, half way or
    /// when it is done.
    struct Traced<'c, M: Message, F> {
        #[pin]
        rest: Option<F>,
        dispatch: Option<DispatchSpan<'c, M>>,
        levels: Levels,
    }

    impl<M: Message, F> PinnedDrop for Traced<'_, M, F> {
        fn drop(this: Pin<&mut Self>) {
            let mut this = this.project();
            let _inside = this.dispatch.as_ref().map(DispatchSpan::enter);
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

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let mut this = self.project();
        let outcome = {
            let _inside = this.dispatch.as_ref().map(DispatchSpan::enter);
            let rest = this.rest.as_mut().as_pin_mut();
            let outcome = ready!(rest.expect("polled after completion").poll(task));
            this.rest.set(None);
            outcome
        };
        end(this.dispatch, &outcome, *this.levels);
        Poll::Ready(outcome)
    }
}
