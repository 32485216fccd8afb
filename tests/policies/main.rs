//! The layers of `arcbus::middleware`, through a bus.

#[path = "../support/acts.rs"]
mod acts;
#[path = "../support/hasty.rs"]
mod hasty;
#[path = "../support/hostile.rs"]
mod hostile;
#[path = "../support/worker.rs"]
mod worker;

mod adaptive_limit;
mod adaptive_simulation;
mod authorize;
mod bulkhead;
mod cancellation;
mod chaos;
mod circuit_breaker;
mod clocks;
mod debug;
mod haste;
mod jobs;
mod map_error;
mod metrics;
mod production;
mod rate_limit;
mod set_back;
mod settings;
mod sharing;
mod timeout;
mod touchy_keys;
#[cfg(feature = "tracing")]
mod trace;
mod unhandled;
mod validation;
mod verdict;
mod wakers;
mod when;
mod writers;
