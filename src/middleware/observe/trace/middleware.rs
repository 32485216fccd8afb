//! [`TraceGate`]: the span around a handler.

use tracing::level_filters::LevelFilter;

use super::levels::Levels;
use super::span::{DispatchSpan, tell_failure};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::Gate;

/// A gate, made by [`Trace`](super::Trace), that opens a span for each dispatch with a subscriber and reports
/// the end of the dispatch.
#[derive(Debug)]
pub struct TraceGate {
    levels: Levels,
}

impl TraceGate {
    pub(super) fn new(levels: Levels) -> Self {
        Self { levels }
    }

    /// Returns whether a subscriber may be interested, with one load of a static.
    #[inline(always)]
    fn has_listener(&self) -> bool {
        let level = self.levels.reply;
        level <= tracing::level_filters::STATIC_MAX_LEVEL && level <= LevelFilter::current()
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for TraceGate {
    type Pass<'a> = Option<DispatchSpan>;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<Option<DispatchSpan>, Error<M::Error>> {
        Ok(match self.has_listener() {
            true => DispatchSpan::begin::<M>(self.levels, cx),
            false => None,
        })
    }

    /// Reports a failure even without a subscriber to the span.
    #[inline(always)]
    fn leave(&self, span: Option<DispatchSpan>, outcome: &Outcome<M>, cx: &Context<'_>) {
        match (span, outcome) {
            (Some(span), outcome) => span.end::<M>(outcome, cx),
            (None, Err(error)) => tell_failure::<M>(error, self.levels),
            (None, Ok(_)) => {}
        }
    }

    #[inline(always)]
    fn abandon(&self, span: Option<DispatchSpan>, cx: &Context<'_>) {
        if let Some(span) = span {
            span.dropped::<M>(cx);
        }
    }

    #[inline(always)]
    fn surround(&self, span: &Option<DispatchSpan>) -> impl Sized {
        span.as_ref().map(DispatchSpan::enter)
    }
}
