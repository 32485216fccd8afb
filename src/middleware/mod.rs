//! The layers that guard and watch a handler.
//!
//! Each module holds a layer, with its settings, and the middleware that the layer makes for each route.
//! The settings are checked when a handler is registered. A layer with state also has a policy, which is
//! the state machine alone and can be used without a bus.

mod admission;
mod compose;
mod handles;
mod observe;
mod replay;
mod resilience;

pub use admission::{adaptive_limit, authorize, bulkhead, rate_limit, validation};
pub use compose::{chaos, map_error, production, when};
#[cfg(feature = "tracing")]
pub use observe::trace;
pub use replay::{cache, coalesce, idempotency};
pub use resilience::{budget, circuit_breaker, fallback, hedge, retry, timeout};

pub(crate) use replay::singleflight;

pub use crate::pipeline::{ErrorPredicate, Extract, InContext};

pub use adaptive_limit::{AdaptiveLimit, Priority};
pub use authorize::Authorize;
pub use budget::Budget;
pub use bulkhead::Bulkhead;
pub use cache::{Cache, Cacheable, Invalidates};
pub use chaos::Chaos;
pub use circuit_breaker::CircuitBreaker;
pub use coalesce::Coalesce;
pub use fallback::Fallback;
pub use handles::Handles;
pub use hedge::Hedge;
pub use idempotency::{Idempotency, IdempotencyKey};
pub use map_error::MapError;
pub use production::{ProductionConfig, ProductionLayers};
pub use rate_limit::{KeyedRateLimit, RateLimit};
pub use retry::Retry;
pub use timeout::Timeout;
#[cfg(feature = "tracing")]
pub use trace::Trace;
pub use validation::Validation;
pub use when::When;
