//! [`AdaptiveLimit`]: a concurrency limit that finds itself.
//!
//! Nobody knows how many dispatches a backend can take at once, and it changes. This layer watches how
//! long they take and which fail for overload, and moves its limit between `min` and `max`:
//!
//! - [`AdaptiveLimit::aimd`] adds one as long as all is well and multiplies by less than one when it is
//!   not (Chiu and Jain, "Analysis of the increase and decrease algorithms for congestion avoidance",
//!   1989);
//! - [`AdaptiveLimit::vegas`] estimates how many wait inside the backend, from how much longer they take
//!   than without load (Brakmo and Peterson, "TCP Vegas", 1995), with the thresholds of Netflix's
//!   [concurrency-limits](https://github.com/Netflix/concurrency-limits). Where that one takes any
//!   sample for the time without load now and then, this one makes room first, as BBR does (Cardwell et
//!   al., "BBR: congestion-based congestion control", 2016).
//!
//! As utilisation rises the least important are refused first: see [`Priority`].
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
//! # What it costs
//!
//! One locked instruction on the way in, two on the way out (the permit, the sample), and the two
//! readings of the clock that a whole stack shares. The limit is computed anew once a window, by the
//! dispatch that completes it; the others go on meanwhile. No lock.

mod layer;
mod middleware;
mod policy;
mod priority;

pub use layer::AdaptiveLimit;
pub use middleware::{AdaptiveLimitGate, AdaptiveLimitPass};
pub use policy::{AdaptiveLimitPolicy, AdaptiveUsage, InFlight};
pub use priority::Priority;
