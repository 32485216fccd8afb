//! [`Trace`]: the settings.

use tracing::Level;

use super::TraceMiddleware;
use crate::message::Message;
use crate::pipeline::{Facts, Layer, Role, RouteInfo};

/// Puts a `tracing` span around each dispatch, and an event at its end.
///
/// The span is named `dispatch`, its target is `arcbus`. Its fields: `message` and `kind`; `trace_id`
/// and `parent_id` of the W3C trace parent, if the context has one; at the end `outcome` (`ok`, or the
/// [name of the failure](crate::metrics::FailureKind::name)) and `elapsed_ns`. What the layers and the
/// handler inside it log is in the span, in each poll of it.
///
/// The event at the end has a level by the outcome, so that a filter keeps what needs a look:
///
/// | outcome | level |
/// |---|---|
/// | a reply | that of the span |
/// | a refusal, or the handler's permanent error | `INFO` |
/// | another [failure](crate::Verdict::Failure) | `WARN` |
/// | a panic | `ERROR` |
///
/// Where nobody listens to the span's level no span is made, no clock is read and nothing is evaluated:
/// all that is left is the check of a static. An event of a failure is made where its own level is
/// listened to: a filter of `INFO` shows failures without a span for each dispatch.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    level: Level,
}

impl Trace {
    /// Spans of level `DEBUG`: a bus makes many, and who wants to see them asks for them.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            level: Level::DEBUG,
        }
    }

    /// The level of the spans. Default: `DEBUG`.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.level = level;
        self
    }
}

impl Default for Trace {
    fn default() -> Self {
        Self::new()
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for Trace {
    type Middleware = TraceMiddleware;

    const ROLE: Role = Role::Trace;

    fn middleware(&self, _route: &RouteInfo) -> TraceMiddleware {
        TraceMiddleware::new(self.level)
    }

    fn facts(&self) -> Facts {
        Facts::new()
    }
}
