//! [`ProductionLayers`]: the layers of a service in an order that works.
//!
//! ```
//! use std::time::Duration;
//! use arcbus::metrics::Metrics;
//! use arcbus::middleware::{Bulkhead, ProductionConfig, ProductionLayers};
//! use arcbus::{Command, CommandBus, Context, Message, from_fn};
//!
//! struct Pay;
//! impl Message for Pay {
//!     const NAME: &'static str = "pay";
//!     type Kind = Command;
//!     type Reply = ();
//!     type Error = std::convert::Infallible;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let metrics = Metrics::new();
//! let config = ProductionConfig::new()
//!     .metrics(metrics.layer())
//!     .bulkhead(Bulkhead::new(32))
//!     .timeout(None);
//! let bus = CommandBus::builder()
//!     .layers(&ProductionLayers::commands(config))
//!     .register(from_fn(|_: Pay, _: &Context<'_>| Ok(())))
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Pay), Ok(()));
//! let layers = ["Metrics", "Validation", "Bulkhead", "CircuitBreaker"];
//! assert!(bus.routes()[0].layers().ends_with(&layers)); // outside them, a `Trace` if the feature is on
//! assert_eq!(metrics.snapshot().route("pay").expect("registered").replies(), 1);
//! # Ok(())
//! # }
//! ```
//!
//! # The order, and why
//!
//! From the outermost:
//!
//! 1. `Trace` (feature `tracing`): what all the others log about a message is in its span.
//! 2. `Metrics`: sees every message, also those that a layer further in refuses.
//! 3. `Validation`: an invalid message takes no token and no permit.
//! 4. `RateLimit`: what is too much is refused before it takes a permit.
//! 5. `Bulkhead`: a permit is held for as long as the handler runs.
//! 6. `CircuitBreaker`: inside whatever refuses, so that it judges the handler alone; outside the
//!    timeout, so that a call that hangs counts as one that failed. What a caller's own deadline ends
//!    counts only after a second ([`slow_after`](crate::middleware::CircuitBreaker::slow_after)): callers in a hurry
//!    must not keep out the patient ones.
//! 7. `Timeout`: next to the handler. Its time is the handler's, and its deadline is what the handler
//!    and the dispatches that it makes see.
//!
//! [`retrying`](ProductionLayers::retrying) adds a timeout for the whole and a retry after `Validation`: each
//! attempt takes a token and a permit of its own, and is a call that the breaker counts; while it pauses, it
//! holds none.
//!
//! Layers that need more of a message (keys, caches) go into a scope. Where they belong is not always
//! inside these: a cache stands outside the limits and the breaker. Leave those out here and put them into
//! the scope, too; [`explain`](crate::Bus::explain) says which, and
//! [`build_strict`](crate::BusBuilder::build_strict) refuses what it warns of.

mod config;
mod layers;

pub use config::ProductionConfig;
pub use layers::{ProductionLayers, ProductionStack, RetryingStack};
