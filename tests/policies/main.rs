//! The layers of `arcbus::middleware`, through a bus.

#[path = "../support/acts.rs"]
mod acts;

mod adaptive_limit;
mod adaptive_property;
mod adaptive_simulation;
mod authorize;
mod bulkhead;
mod bulkhead_property;
mod cancellation;
mod chaos;
mod circuit_breaker;
mod jobs;
mod map_error;
mod metrics;
mod production;
mod rate_limit;
mod settings;
mod timeout;
#[cfg(feature = "tracing")]
mod trace;
mod validation;
mod verdict;
mod when;
