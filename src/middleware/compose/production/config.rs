//! [`ProductionConfig`]: the selection of layers, and their settings.

use std::time::Duration;

use crate::metrics::MetricsLayer;
#[cfg(feature = "tracing")]
use crate::middleware::Trace;
use crate::middleware::{Bulkhead, CircuitBreaker, RateLimit, Timeout, Validation};

/// The parts of the [`ProductionLayers`](super::ProductionLayers), each of which can be left out by `None`.
/// Take the handles of a layer before handing the layer over.
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
    /// Creates a configuration with validation, a timeout of 30 seconds, and a circuit breaker. The breaker
    /// opens for 30 seconds after ten failures in a row, and counts a call as a failure if its caller ended
    /// the call after a second or later. These settings do no harm to a service whose figures are not known
    /// yet. Metrics, a rate limit and a bulkhead are absent, because they need a place to report to, or a
    /// number that only the backend's owner knows. With the feature `tracing` the configuration has a
    /// [`Trace`](crate::middleware::Trace), which reports to the subscriber, if there is one.
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

    /// Sets the spans and events of each message, outermost (feature `tracing`). Default: [`Trace::new`],
    /// with which a subscriber that shows `INFO` sees each message. That costs about a microsecond for each
    /// message, or the load of a static without a subscriber. For many messages,
    /// `Trace::new().level(Level::DEBUG)` shows only the failures.
    #[cfg(feature = "tracing")]
    #[must_use]
    pub fn trace(mut self, trace: impl Into<Option<Trace>>) -> Self {
        self.trace = trace.into();
        self
    }

    /// Sets the metrics that record the outcome and the time of each dispatch. Default: none.
    #[must_use]
    pub fn metrics(mut self, metrics: impl Into<Option<MetricsLayer>>) -> Self {
        self.metrics = metrics.into();
        self
    }

    /// Sets the validation of messages before any other resource is taken. The handler's own check stays in
    /// any case. Default: on.
    #[must_use]
    pub fn validation(mut self, validation: impl Into<Option<Validation>>) -> Self {
        self.validation = validation.into();
        self
    }

    /// Sets the time that a message may take. Default: 30 seconds.
    #[must_use]
    pub fn timeout(mut self, timeout: impl Into<Option<Timeout>>) -> Self {
        self.timeout = timeout.into();
        self
    }

    /// Sets the rate at which messages may come. Default: no limit.
    #[must_use]
    pub fn rate_limit(mut self, rate_limit: impl Into<Option<RateLimit>>) -> Self {
        self.rate_limit = rate_limit.into();
        self
    }

    /// Sets the number of messages that may be handled at once. Default: no limit.
    #[must_use]
    pub fn bulkhead(mut self, bulkhead: impl Into<Option<Bulkhead>>) -> Self {
        self.bulkhead = bulkhead.into();
        self
    }

    /// Sets when to stop calling a handler that fails. Default: for 30 seconds after ten failures in a row. A
    /// call that its caller ended counts as a failure after running for a second.
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
