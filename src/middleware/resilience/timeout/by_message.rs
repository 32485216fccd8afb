//! [`TimeoutBy`]: a timeout that depends on the message.

use std::fmt;
use std::time::Duration;

use super::middleware::Chosen;
use super::{Timeout, TimeoutMiddleware, TimeoutPolicy};
use crate::context::Context;
use crate::message::Message;
use crate::middleware::Handles;
use crate::pipeline::{Facts, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// A [`Timeout`] that asks a closure about each message. Made by [`Timeout::per_message`].
///
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone)]
pub struct TimeoutBy<F> {
    timeout: Timeout,
    choose: PlainArc<F>,
}

impl<F> TimeoutBy<F> {
    pub(super) fn new(timeout: Timeout, choose: F) -> Self {
        Self {
            timeout,
            choose: PlainArc::new(choose),
        }
    }

    /// [`Timeout::handles`].
    #[must_use]
    pub fn handles(&self) -> Handles<TimeoutPolicy> {
        self.timeout.handles()
    }
}

impl<M, F> Layer<M> for TimeoutBy<F>
where
    M: Message,
    F: Fn(&M, &Context<'_>) -> Option<Duration> + Send + Sync + 'static,
{
    type Middleware = TimeoutMiddleware<Chosen<F>>;

    const ROLE: Role = Role::Timeout;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        self.timeout
            .make(route, Chosen(PlainArc::clone(&self.choose)))
    }

    /// Nothing is known of how long a time the closure may choose.
    fn facts(&self) -> Facts {
        let facts = self.timeout.facts_of(M::NAME);
        let note = format!("by message, or {}", facts.note);
        facts.note(note)
    }

    fn name(&self) -> &'static str {
        "Timeout"
    }
}

impl<F> fmt::Debug for TimeoutBy<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("TimeoutBy").field(&self.timeout).finish()
    }
}
