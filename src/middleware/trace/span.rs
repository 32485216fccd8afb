//! The span of a dispatch, and the event at its end.

use tracing::field::{Empty, display};
use tracing::{Level, Span};

use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::message::{Kind, Message};
use crate::metrics::FailureKind;
use crate::verdict::Verdict;

/// A callsite has one level: so there is one for each.
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

/// The span of a dispatch that has begun; ends as `dropped` unless its end is told.
pub(super) struct DispatchSpan {
    pub(super) span: Span,
    level: Level,
    began: u64,
    ended: bool,
}

impl DispatchSpan {
    /// `None` where nobody listens on this thread.
    #[cold]
    pub(super) fn begin<M: Message>(level: Level, cx: &Context<'_>) -> Option<Self> {
        let span = at_level!(
            level,
            span!(
                "dispatch",
                message = M::NAME,
                kind = M::Kind::NAME,
                trace_id = Empty,
                parent_id = Empty,
                outcome = Empty,
                source = Empty,
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
            level,
            began: cx.entry_tick(),
            ended: false,
        })
    }

    pub(super) fn end<M: Message>(&mut self, outcome: &Outcome<M>, cx: &Context<'_>) {
        let elapsed_ns = cx.done_tick().saturating_sub(self.began);
        self.ended = true;
        self.span.record("outcome", name_of::<M>(outcome));
        self.span.record("elapsed_ns", elapsed_ns);
        if outcome.is_ok() {
            self.span.record("source", cx.source().name());
        }
        let _inside = self.span.enter();
        match outcome {
            Ok(_) => at_level!(self.level, event!(outcome = "ok", "dispatched")),
            Err(_) => tell_failure::<M>(outcome),
        }
    }
}

impl Drop for DispatchSpan {
    fn drop(&mut self) {
        if !self.ended {
            self.span.record("outcome", FailureKind::Dropped.name());
        }
    }
}

fn name_of<M: Message>(outcome: &Outcome<M>) -> &'static str {
    match outcome {
        Ok(_) => "ok",
        Err(error) => FailureKind::of::<M>(error).name(),
    }
}

/// The event of a dispatch that failed, in its span or without one.
#[cold]
pub(super) fn tell_failure<M: Message>(outcome: &Outcome<M>) {
    let Err(error) = outcome else { return };
    let outcome_name = name_of::<M>(outcome);
    at_level!(
        level_of::<M>(outcome, error),
        event!(kind = M::Kind::NAME, name = M::NAME, outcome = outcome_name, error = %Shown::<M>(error), "failed")
    );
}

fn level_of<M: Message>(outcome: &Outcome<M>, error: &Error<M::Error>) -> Level {
    match Verdict::of::<M>(outcome) {
        _ if error.is_panicked() => Level::ERROR,
        Verdict::Failure => Level::WARN,
        Verdict::Success | Verdict::Neutral => Level::INFO,
    }
}

/// An error that is written only where somebody reads it.
struct Shown<'e, M: Message>(&'e Error<M::Error>);

impl<M: Message> std::fmt::Display for Shown<'_, M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.fmt(f)
    }
}
