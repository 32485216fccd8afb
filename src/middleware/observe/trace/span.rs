//! The span of a dispatch, and the event at its end.

use tracing::field::{Empty, display};
use tracing::span::Entered;
use tracing::{Level, Span};

use super::levels::Levels;
use crate::context::Context;
use crate::message::{Kind, Message};
use crate::outcome::{Error, ErrorKind, Outcome};
use crate::sync::unless_done;

/// Expands to one callsite for each level, because the level of a callsite is fixed.
macro_rules! at_level {
    ($level:expr, $macro:ident!($($arguments:tt)*)) => {
        match $level {
            Level::TRACE => tracing::$macro!(target: "arcbus", Level::TRACE, $($arguments)*),
            Level::DEBUG => tracing::$macro!(target: "arcbus", Level::DEBUG, $($arguments)*),
            Level::INFO => tracing::$macro!(target: "arcbus", Level::INFO, $($arguments)*),
            Level::WARN => tracing::$macro!(target: "arcbus", Level::WARN, $($arguments)*),
            Level::ERROR => tracing::$macro!(target: "arcbus", Level::ERROR, $($arguments)*),
        }
    };
}

/// The span of a dispatch that has begun.
#[derive(Debug)]
pub struct DispatchSpan {
    span: Span,
    levels: Levels,
    began: u64,
}

impl DispatchSpan {
    /// Opens the span, or returns `None` if this thread has no subscriber to the span.
    #[cold]
    pub(super) fn begin<M: Message>(levels: Levels, cx: &Context<'_>) -> Option<Self> {
        let span = at_level!(
            levels.reply,
            span!(
                "dispatch",
                otel.name = M::NAME,
                otel.kind = "internal",
                otel.status_code = Empty,
                message = M::NAME,
                kind = M::Kind::NAME,
                trace_id = Empty,
                parent_id = Empty,
                outcome = Empty,
                source = Empty,
                "error.type" = Empty,
                elapsed_ns = Empty,
            )
        );
        if span.is_disabled() {
            return None;
        }
        if let Some(parent) = cx.trace() {
            let trace_id = u128::from_be_bytes(parent.trace_id());
            let parent_id = u64::from_be_bytes(parent.parent_id());
            span.record("trace_id", display(format_args!("{trace_id:032x}")));
            span.record("parent_id", display(format_args!("{parent_id:016x}")));
        }
        Some(Self {
            span,
            levels,
            began: cx.entry_tick(),
        })
    }

    #[inline(always)]
    pub(super) fn enter(&self) -> Entered<'_> {
        self.span.enter()
    }

    /// Ends the span, as dropped if the message's own `classify` panics.
    pub(super) fn end<M: Message>(&self, outcome: &Outcome<M>, cx: &Context<'_>) {
        let failure = match outcome {
            Ok(_) => None,
            Err(error) => Some(unless_done(
                || Failure::<M>::of(error),
                || self.dropped::<M>(cx),
            )),
        };
        let elapsed_ns = cx.done_tick().saturating_sub(self.began);
        match failure {
            Some(failure) => self.failed(&failure, elapsed_ns),
            None => self.replied::<M>(elapsed_ns, cx.source().name()),
        }
    }

    /// Ends the span of a dropped dispatch, and reads the clock anew, because an inner attempt may have ended
    /// before.
    pub(super) fn dropped<M: Message>(&self, cx: &Context<'_>) {
        let elapsed_ns = cx.clock().ticks().saturating_sub(self.began);
        self.failed(&Failure::<M>::DROPPED, elapsed_ns);
    }

    fn replied<M: Message>(&self, elapsed_ns: u64, source: &'static str) {
        self.span.record("outcome", "ok");
        self.span.record("source", source);
        self.span.record("elapsed_ns", elapsed_ns);
        let _inside = self.span.enter();
        at_level!(
            self.levels.reply,
            event!(
                message = M::NAME,
                kind = M::Kind::NAME,
                outcome = "ok",
                source,
                elapsed_ns,
            )
        );
    }

    fn failed<M: Message>(&self, failure: &Failure<'_, M>, elapsed_ns: u64) {
        self.span.record("outcome", failure.kind.code());
        if let Some(fault) = failure.fault() {
            self.span.record("otel.status_code", "ERROR");
            self.span.record("error.type", fault);
        }
        self.span.record("elapsed_ns", elapsed_ns);
        let _inside = self.span.enter();
        failure.tell(self.levels, Some(elapsed_ns));
    }
}

/// Reports a failure outside of any span of its dispatch.
#[cold]
pub(super) fn tell_failure<M: Message>(error: &Error<M::Error>, levels: Levels) {
    Failure::<M>::of(error).tell(levels, None);
}

/// The failure of a dispatch that gave no reply.
struct Failure<'e, M: Message> {
    kind: ErrorKind,
    /// The error of the dispatch, or `None` for a dispatch that was dropped.
    error: Option<&'e Error<M::Error>>,
}

impl<'e, M: Message> Failure<'e, M> {
    const DROPPED: Self = Self {
        kind: ErrorKind::Dropped,
        error: None,
    };

    fn of(error: &'e Error<M::Error>) -> Self {
        Self {
            kind: ErrorKind::of::<M>(error),
            error: Some(error),
        }
    }

    /// Returns the name of the failure, if the service is its cause.
    fn fault(&self) -> Option<&'static str> {
        self.kind.is_fault().then(|| self.kind.code())
    }

    fn tell(&self, levels: Levels, elapsed_ns: Option<u64>) {
        at_level!(
            levels.of(self.kind),
            event!(
                message = M::NAME,
                kind = M::Kind::NAME,
                outcome = self.kind.code(),
                elapsed_ns,
                error = self.error.map(|error| display(Shown::<M>(error))),
                "error.type" = self.fault(),
            )
        );
    }
}

/// An error whose text is written only for a subscriber that reads it.
struct Shown<'e, M: Message>(&'e Error<M::Error>);

impl<M: Message> std::fmt::Display for Shown<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
