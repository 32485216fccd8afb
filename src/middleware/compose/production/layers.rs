//! [`ProductionLayers`]: the stack of layers.

use super::ProductionConfig;
use crate::metrics::MetricsLayer;
#[cfg(feature = "tracing")]
use crate::middleware::Trace;
use crate::middleware::{Bulkhead, CircuitBreaker, RateLimit, Timeout, Validation};
use crate::pipeline::{Layers, More, NoLayers};

/// The type of the stack that [`ProductionLayers`] make, outermost first.
pub type ProductionStack = Guarded<Watched>;

/// The stack with a retry `R` that [`ProductionLayers::retrying`] makes.
pub type RetryingStack<R> = Guarded<More<More<Watched, Timeout>, R>>;

type Watched = More<More<Traced, Option<MetricsLayer>>, Option<Validation>>;

#[cfg(feature = "tracing")]
type Traced = More<NoLayers, Option<Trace>>;
#[cfg(not(feature = "tracing"))]
type Traced = NoLayers;

type Guarded<S> = More<
    More<More<More<S, Option<RateLimit>>, Option<Bulkhead>>, Option<CircuitBreaker>>,
    Option<Timeout>,
>;

/// Makes the layers of a bus from a [`ProductionConfig`]. The order and its reasons are in the documentation
/// of [the module](super).
#[derive(Debug)]
pub enum ProductionLayers {}

impl ProductionLayers {
    /// Returns the layers of a command bus, outermost first.
    #[must_use]
    pub fn commands(config: ProductionConfig) -> Layers<ProductionStack> {
        guarded(config, |watched| watched)
    }

    /// Returns the layers of a query bus, which are those of a command bus. Layers for queries only, such as
    /// a cache, belong in a scope inside these layers.
    #[must_use]
    pub fn queries(config: ProductionConfig) -> Layers<ProductionStack> {
        Self::commands(config)
    }

    /// Returns these layers with a [`Retry`](crate::middleware::Retry) in its proper place: inside the layers
    /// that observe, outside the layers that guard the handler. `total` limits the time of all attempts
    /// together, and the timeout of `config` limits each attempt. For messages that may be repeated: queries
    /// that are `Clone`, and commands that are also [`Idempotent`](crate::Idempotent).
    ///
    /// ```
    /// use std::io;
    /// use std::time::Duration;
    /// use arcbus::middleware::{ProductionConfig, ProductionLayers, Retry, Timeout};
    /// use arcbus::{Context, Message, Query, QueryBus, from_fn};
    ///
    /// #[derive(Clone)]
    /// struct Price;
    /// impl Message for Price {
    ///     const NAME: &'static str = "price";
    ///     type Kind = Query;
    ///     type Reply = u64;
    ///     type Error = io::Error;
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let each = Timeout::new(Duration::from_millis(200));
    /// let total = Timeout::new(Duration::from_secs(1));
    /// let retry = Retry::exponential(3, Duration::from_millis(50));
    /// let config = ProductionConfig::new().timeout(each);
    /// let bus = QueryBus::builder()
    ///     .layers(&ProductionLayers::retrying(config, total, retry))
    ///     .register(from_fn(|_: Price, cx: &Context<'_>| match cx.attempt() {
    ///         1 => Err(io::ErrorKind::ResourceBusy.into()),
    ///         _ => Ok(250),
    ///     }))
    ///     .build_strict()?;
    /// assert_eq!(bus.execute_blocking(Price)?, 250);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn retrying<R>(
        config: ProductionConfig,
        total: Timeout,
        retry: R,
    ) -> Layers<RetryingStack<R>> {
        guarded(config, |watched| watched.layer(total).layer(retry))
    }
}

/// Builds the stack, where `add` puts more layers between those that observe and those that guard.
fn guarded<S>(
    config: ProductionConfig,
    add: impl FnOnce(Layers<Watched>) -> Layers<S>,
) -> Layers<Guarded<S>> {
    let traced = Layers::new();
    #[cfg(feature = "tracing")]
    let traced = traced.layer(config.trace);
    let watched = traced.layer(config.metrics).layer(config.validation);
    add(watched)
        .layer(config.rate_limit)
        .layer(config.bulkhead)
        .layer(config.circuit_breaker)
        .layer(config.timeout)
}
