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
//! 1. `Trace` (feature `tracing`): the log entries of all other layers about a message are in its span.
//! 2. `Metrics`: sees every message, also those that an inner layer refuses.
//! 3. `Validation`: an invalid message takes no token and no permit.
//! 4. `RateLimit`: a message beyond the rate is refused before taking a permit.
//! 5. `Bulkhead`: a permit is held for as long as the handler runs.
//! 6. `CircuitBreaker`: inside every layer that refuses, so that the breaker judges the handler alone.
//!    Outside the timeout, so that a call that hangs counts as a failure. A call that the caller's own
//!    deadline ends counts only after a second
//!    ([`slow_after`](crate::middleware::CircuitBreaker::slow_after)), so that callers in a hurry do not keep
//!    out the patient ones.
//! 7. `Timeout`: next to the handler. Its time limits the handler alone, and the handler and its nested
//!    dispatches see its deadline.
//!
//! [`retrying`](ProductionLayers::retrying) adds a timeout for the whole dispatch and a retry after
//! `Validation`. Each attempt takes a token and a permit of its own, and the breaker counts each attempt as a
//! call. A retry that pauses holds no token and no permit.
//!
//! Layers that need more of a message (keys, caches) go into a scope. Their place is not always inside these
//! layers: a cache stands outside the limits and the breaker. In that case leave the limits and the breaker
//! out of the configuration, and put them into the scope, too. [`explain`](crate::Bus::explain) names the
//! layers concerned, and [`build_strict`](crate::BusBuilder::build_strict) refuses the orders that cause
//! warnings.

mod config;
mod layers;

pub use config::ProductionConfig;
pub use layers::{ProductionLayers, ProductionStack, RetryingStack};
