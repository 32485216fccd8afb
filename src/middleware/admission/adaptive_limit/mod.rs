//! [`AdaptiveLimit`]: a concurrency limit that adapts to the backend.
//!
//! The number of dispatches that a backend can run at once is rarely known, and changes over time. This
//! layer watches how long dispatches take and which fail for overload. From these samples the limit
//! moves between `min` and `max`, by either of two algorithms:
//!
//! - [`AdaptiveLimit::aimd`] adds one while the backend keeps up, and multiplies by less than one after
//!   an overload (Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion
//!   avoidance", 1989).
//! - [`AdaptiveLimit::vegas`] estimates how many dispatches wait inside the backend. The estimate comes
//!   from the latency above the latency without load (Brakmo and Peterson, "TCP Vegas", 1995), with the
//!   thresholds of Netflix's [concurrency-limits](https://github.com/Netflix/concurrency-limits).
//!   Netflix's library now and then takes any sample for the latency without load. This algorithm makes
//!   room first, as BBR does (Cardwell et al., "BBR: congestion-based congestion control", 2016).
//!
//! As utilisation rises, the least important messages are refused first: see [`Priority`].
//!
//! ```
//! use arcbus::middleware::{AdaptiveLimit, Priority};
//! use arcbus::{Context, Message, Query, QueryBus, from_fn};
//!
//! struct Search(&'static str);
//!
//! impl Message for Search {
//!     const NAME: &'static str = "search";
//!     type Kind = Query;
//!     type Reply = usize;
//!     type Error = std::convert::Infallible;
//! }
//!
//! let limit = AdaptiveLimit::vegas().initial(20).range(5, 200);
//! let handles = limit.handles();
//! let bus = QueryBus::builder()
//!     .layer(limit)
//!     .register(from_fn(|msg: Search, _: &Context<'_>| Ok(msg.0.len())))
//!     .build()?;
//! let cx = Context::new().with(Priority::Background);
//! assert_eq!(bus.execute_blocking_with(Search("rust"), cx), Ok(4));
//! assert_eq!(handles.get("search").expect("registered").usage().limit, 20);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # Cost
//!
//! A dispatch costs one locked instruction on the way in, and two on the way out for the permit and the
//! sample. The two readings of the clock are shared by a whole stack. The dispatch that completes a
//! window computes the next limit, and the others go on meanwhile. No lock is taken.

mod layer;
mod middleware;
mod policy;
mod priority;

pub use layer::AdaptiveLimit;
pub use middleware::{AdaptiveLimitGate, AdaptiveLimitPass};
pub use policy::{AdaptiveLimitPolicy, AdaptiveUsage, InFlight};
pub use priority::Priority;
