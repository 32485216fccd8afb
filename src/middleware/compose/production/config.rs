//! [`ProductionConfig`]: which layers there are, and their settings.

use std::time::Duration;

use crate::metrics::MetricsLayer;
#[cfg(feature = "tracing")]
use crate::middleware::Trace;
use crate::middleware::{Bulkhead, CircuitBreaker, RateLimit, Timeout, Validation};

/// What [`ProductionLayers`](super::ProductionLayers) are made of; each part can be left out by `None`.
/// Keep the handles of a layer before it is handed over.
#[derive(Debug)]
pub struct ProductionConfig {
    #[cfg(feature = "tracing")]
    pub(super) trace: Option<Trace>,
    pub(super) metrics: Option<MetricsLayer>,
    pub(super) validation: Option<Validation>,
    pub(super) timeout: Option<Timeout>,
    pub(super) rate_limit: Option<RateLimit>,
    pub(super) bulkhead: Option<Bulkhead>,
    pub(super) circuit_breaker: Option<CircuitBreaker>,
}

impl ProductionConfig {
    /// Validation, a timeout of 30 seconds, and a circuit breaker that opens for 30 seconds after ten failures in a
    /// row: settings that harm nobody whose numbers are not known yet. The breaker counts a call that its caller
    /// ended after a second or later as a failure. No metrics, no rate limit and no bulkhead: those need a place
    /// to look at, or a number that only the backend's owner knows.
    /// With the feature `tracing` a [`Trace`](crate::middleware::Trace), whose place to look at is the
    /// subscriber, if there is one.
    #[must_use]
    pub fn new() -> Self {
        let half_a_minute = Duration::from_secs(30);
        let breaker = CircuitBreaker::consecutive(10)
            .open_for(half_a_minute)
            .slow_after(Duration::from_secs(1));
        Self {
            #[cfg(feature = "tracing")]
            trace: Some(Trace::new()),
            metrics: None,
            validation: Some(Validation::new()),
            timeout: Some(Timeout::new(half_a_minute)),
            rate_limit: None,
            bulkhead: None,
            circuit_breaker: Some(breaker),
        }
    }

    /// The spans and events of each message, outermost (feature `tracing`). Default: [`Trace::new`], with
    /// which a subscriber that shows `INFO` sees each message. That costs about a microsecond a message, and
    /// the load of a static where nobody listens; for many messages, `Trace::new().level(Level::DEBUG)` leaves
    /// the failures.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn trace(mut self, trace: impl Into<Option<Trace>>) -> Self {
        self.trace = trace.into();
        self
    }

    /// The metrics that record. Default: none.
    #[must_use]
    pub fn metrics(mut self, metrics: impl Into<Option<MetricsLayer>>) -> Self {
        self.metrics = metrics.into();
        self
    }

    /// Whether messages are validated before they take anything. The handler's own check stays.
    /// Default: they are.
    #[must_use]
    pub fn validation(mut self, validation: impl Into<Option<Validation>>) -> Self {
        self.validation = validation.into();
        self
    }

    /// How long a message may take. Default: 30 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Timeout>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// How many messages may come in a time. Default: any.
    #[must_use]
    pub fn rate_limit(mut self, rate_limit: impl Into<Option<RateLimit>>) -> Self {
        self.rate_limit = rate_limit.into();
        self
    }

    /// How many messages may be handled at once. Default: any.
    #[must_use]
    pub fn bulkhead(mut self, bulkhead: impl Into<Option<Bulkhead>>) -> Self {
        self.bulkhead = bulkhead.into();
        self
    }

    /// When to stop asking a handler that fails. Default: for 30 seconds after ten failures in a row; a call that
    /// its caller ended counts as one if it had run for a second.
    #[must_use]
    pub fn circuit_breaker(mut self, breaker: impl Into<Option<CircuitBreaker>>) -> Self {
        self.circuit_breaker = breaker.into();
        self
    }
}

impl Default for ProductionConfig {
    fn default() -> Self {
        Self::new()
    }
}
