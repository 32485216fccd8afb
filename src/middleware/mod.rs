//! The layers that guard and watch a handler.
//!
//! Each has a module of its own: a layer (its settings, checked when a handler is registered), the
//! middleware that it makes for each route, and, where there is state, a policy: the state machine
//! alone, which can be used without a bus.

pub mod adaptive_limit;
pub mod authorize;
pub mod budget;
pub mod bulkhead;
pub mod cache;
pub mod chaos;
pub mod circuit_breaker;
pub mod coalesce;
pub mod fallback;
pub(crate) mod flights;
mod handles;
pub mod hedge;
pub mod idempotency;
pub mod map_error;
pub mod metrics;
pub mod production;
pub mod rate_limit;
pub mod retry;
pub mod timeout;
#[cfg(feature = "tracing")]
pub mod trace;
pub mod validation;
mod wait_queue;
pub mod when;

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
