//! [`Trace`]: the settings.

use tracing::Level;

use super::TraceGate;
use super::levels::Levels;
use crate::message::Message;
use crate::pipeline::{Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Puts a `tracing` span around each dispatch, and an event at its end.
///
/// The span is called `dispatch`, span and events have the target `arcbus`. A field means the same in both:
///
/// | field | in | is |
/// |---|---|---|
/// | `message` | both | the message's name; of the event, its text |
/// | `kind` | both | `command` or `query` |
/// | `outcome` | both, at the end | `ok`, or the [name of the failure](crate::ErrorKind::code) |
/// | `source` | both, of a reply | [where it comes from](crate::Source::name) |
/// | `elapsed_ns` | both, at the end | nanoseconds since the dispatch began, a `u64`; an event without a span has none |
/// | `error` | event of a failure | the error's text |
/// | `error.type` | both, of a [fault](crate::ErrorKind::is_fault) | as `outcome` |
/// | `trace_id`, `parent_id` | span | the W3C trace parent in hexadecimal, if the context has one |
/// | `otel.name` | span | the message's name: what OpenTelemetry calls the span |
/// | `otel.kind` | span | `internal`: the caller and the handler are in this process. The span of a request from outside belongs to the code that received it |
/// | `otel.status_code` | span, of a fault | `ERROR` |
///
/// The status follows the conventions of OpenTelemetry for servers: an error for which the message or its
/// caller is the reason (an invalid or a refused message, the handler's permanent error, a cancellation)
/// leaves it unset, as HTTP's 4xx do; so does a reply. All else is a
/// [fault](crate::ErrorKind::is_fault) of the service and sets it.
///
/// What the layers and the handler inside it log is in the span: in each poll, and in the drop of a handler
/// that is cancelled half way.
///
/// # Levels
///
/// | outcome | level | default |
/// |---|---|---|
/// | a reply, and the span | [`level`](Self::level) | `INFO` |
/// | an error for which the message or its caller is the reason; a dispatch that was dropped | [`refusal_level`](Self::refusal_level) | `INFO` |
/// | a fault | [`failure_level`](Self::failure_level) | `WARN` |
/// | a panic | `ERROR`, always | |
///
/// So a subscriber that shows `INFO`, as most do, sees each dispatch. That costs about a microsecond a
/// dispatch, mostly the subscriber's. For a bus of more than some thousand dispatches a second, put
/// `level(Level::DEBUG)`: the same subscriber then sees the failures alone.
///
/// Where nobody listens to the span's level no span is made, no clock is read and nothing is evaluated:
/// all that is left is the check of a static. A failure is told all the same where its own level is
/// listened to, without its time; a dispatch that was dropped is not.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    levels: Levels,
}

impl Trace {
    /// Replies, refusals and spans at `INFO`, failures at `WARN`.
    #[must_use]
    pub const fn new() -> Self {
        Self {
            levels: Levels {
                reply: Level::INFO,
                refusal: Level::INFO,
                failure: Level::WARN,
            },
        }
    }

    /// The level of the spans, and of the events of replies. Default: `INFO`, which shows a service working.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.levels.reply = level;
        self
    }

    /// The level of events of errors for which the message or its caller is the reason. Default: `INFO`,
    /// since nothing of the service is broken.
    #[must_use]
    pub const fn refusal_level(mut self, level: Level) -> Self {
        self.levels.refusal = level;
        self
    }

    /// The level of events of [faults](crate::ErrorKind::is_fault), panics excepted. Default:
    /// `WARN`.
    #[must_use]
    pub const fn failure_level(mut self, level: Level) -> Self {
        self.levels.failure = level;
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
    type Middleware = Gated<TraceGate>;

    const ROLE: Role = Role::Trace;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Gated(TraceGate::new(self.levels)))
    }

    fn facts(&self) -> Facts {
        Facts::new()
    }
}
