//! [`Trace`]: the settings of the layer that traces dispatches.

use tracing::Level;

use super::TraceGate;
use super::levels::Levels;
use crate::message::Message;
use crate::pipeline::{Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Puts a `tracing` span around each dispatch, and an event at its end.
///
/// The span is called `dispatch`, and span and events have the target `arcbus`. A field has one meaning in
/// both:
///
/// | field | in | is |
/// |---|---|---|
/// | `message` | both | the message's name; of the event, its text |
/// | `kind` | both | `command` or `query` |
/// | `outcome` | both, at the end | `ok`, or the [name of the failure](crate::ErrorKind::code) |
/// | `source` | both, of a reply | [the source of the reply](crate::Source::name) |
/// | `elapsed_ns` | both, at the end | nanoseconds since the dispatch began, a `u64`; an event without a span has none |
/// | `error` | event of a failure | the error's text |
/// | `error.type` | both, of a [fault](crate::ErrorKind::is_fault) | as `outcome` |
/// | `trace_id`, `parent_id` | span | the W3C trace parent in hexadecimal, if the context has one |
/// | `otel.name` | span | the message's name, which OpenTelemetry shows as the span's name |
/// | `otel.kind` | span | `internal`: the caller and the handler are in this process. The span of a request from outside belongs to the code that received the request |
/// | `otel.status_code` | span, of a fault | `ERROR` |
///
/// The status follows the conventions of OpenTelemetry for servers. A reply leaves the status unset, and so
/// does an error caused by the message or its caller, as HTTP's 4xx do. Such errors are an invalid or a
/// refused message, the handler's permanent error, and a cancellation. Every other error is a
/// [fault](crate::ErrorKind::is_fault) of the service and sets the status.
///
/// Log entries of the inner layers and of the handler are in the span: in each poll, and in the drop of a
/// handler that is cancelled half way.
///
/// # Levels
///
/// | outcome | level | default |
/// |---|---|---|
/// | a reply, and the span | [`level`](Self::level) | `INFO` |
/// | an error caused by the message or its caller; a dispatch that was dropped | [`refusal_level`](Self::refusal_level) | `INFO` |
/// | a fault | [`failure_level`](Self::failure_level) | `WARN` |
/// | a panic | `ERROR`, always | |
///
/// So a subscriber that shows `INFO`, as most do, sees each dispatch. That costs about a microsecond for each
/// dispatch, most of which the subscriber takes. For a bus of more than some thousand dispatches a second,
/// set `level(Level::DEBUG)`: that subscriber then sees the failures alone.
///
/// Without a subscriber to the span's level no span is made, no clock is read and nothing is evaluated. The
/// remaining cost is the check of a static. A failure is still reported to a subscriber of the failure's own
/// level, but without its time, and a dropped dispatch is not reported.
#[derive(Clone, Copy, Debug)]
pub struct Trace {
    levels: Levels,
}

impl Trace {
    /// Creates a layer with replies, refusals and spans at `INFO`, and failures at `WARN`.
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

    /// Sets the level of the spans, and of the events of replies. Default: `INFO`, which shows that the
    /// service is working.
    #[must_use]
    pub const fn level(mut self, level: Level) -> Self {
        self.levels.reply = level;
        self
    }

    /// Sets the level of events of errors caused by the message or its caller. Default: `INFO`, because
    /// nothing in the service is broken.
    #[must_use]
    pub const fn refusal_level(mut self, level: Level) -> Self {
        self.levels.refusal = level;
        self
    }

    /// Sets the level of events of [faults](crate::ErrorKind::is_fault), except panics. Default: `WARN`.
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
