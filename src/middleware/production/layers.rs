//! [`ProductionLayers`]: the stack.

use super::ProductionConfig;
use crate::middleware::metrics::MetricsLayer;
use crate::middleware::{Bulkhead, CircuitBreaker, RateLimit, Timeout, Validation};
use crate::pipeline::{Layers, More, NoLayers};

/// What [`ProductionLayers`] make, outermost first.
pub type ProductionStack = More<
    More<
        More<
            More<More<More<NoLayers, Option<MetricsLayer>>, Option<Validation>>, Option<RateLimit>>,
            Option<Bulkhead>,
        >,
        Option<CircuitBreaker>,
    >,
    Option<Timeout>,
>;

/// Makes the layers of a bus from a [`ProductionConfig`], in the order that
/// [the module](super) gives reasons for.
#[derive(Debug)]
pub enum ProductionLayers {}

impl ProductionLayers {
    /// The layers of a command bus.
    #[must_use]
    pub fn commands(config: ProductionConfig) -> Layers<ProductionStack> {
        stack(config)
    }

    /// The layers of a query bus: the same ones. What only queries can have, such as a cache, is for
    /// a scope inside them.
    #[must_use]
    pub fn queries(config: ProductionConfig) -> Layers<ProductionStack> {
        stack(config)
    }
}

fn stack(config: ProductionConfig) -> Layers<ProductionStack> {
    Layers::new()
        .layer(config.metrics)
        .layer(config.validation)
        .layer(config.rate_limit)
        .layer(config.bulkhead)
        .layer(config.circuit_breaker)
        .layer(config.timeout)
}
