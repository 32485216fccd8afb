//! Counts and latencies of every route, recorded without a locked instruction.
//!
//! ```
//! use std::io;
//! use arcbus::ErrorKind;
//! use arcbus::metrics::Metrics;
//! use arcbus::{Context, Message, Query, QueryBus, from_fn};
//!
//! struct Half(u64);
//! impl Message for Half {
//!     const NAME: &'static str = "half";
//!     type Kind = Query;
//!     type Reply = u64;
//!     type Error = io::Error;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let metrics = Metrics::new();
//! let bus = QueryBus::builder()
//!     .layer(metrics.layer())
//!     .register(from_fn(|msg: Half, _: &Context<'_>| match msg.0 % 2 {
//!         0 => Ok(msg.0 / 2),
//!         _ => Err(io::ErrorKind::InvalidInput.into()),
//!     }))
//!     .build()?;
//! for n in 0..10 {
//!     let _ = bus.execute_blocking(Half(n));
//! }
//! struct Nobody; // and no handler
//! # impl Message for Nobody {
//! #     const NAME: &'static str = "nobody";
//! #     type Kind = Query;
//! #     type Reply = ();
//! #     type Error = std::convert::Infallible;
//! # }
//! assert!(bus.execute_blocking(Nobody).is_err());
//!
//! let snapshot = metrics.snapshot();
//! let half = snapshot.route("half").expect("registered");
//! assert_eq!((half.count(), half.replies()), (10, 5));
//! assert_eq!(half.failures(ErrorKind::Unclassified), 5);
//! assert!(half.percentile(0.99) <= half.max());
//! assert!(half.mean_of_replies() <= half.max());
//!
//! let nobody = snapshot.route("nobody").expect("counted by the bus");
//! assert_eq!(nobody.failures(ErrorKind::HandlerNotFound), 1);
//! assert_eq!(snapshot.total().count(), 11);
//! println!("{snapshot}");
//! # Ok(())
//! # }
//! ```
//!
//! # How
//!
//! Each thread has cells of its own for each route and is the only one to write them, by a plain load
//! and store; a snapshot adds the cells of all threads up. So threads that dispatch write to no
//! memory in common. The first 64 threads of a process that are alive at a time have cells of their
//! own; further ones share a set, which they write by atomic additions.
//!
//! Each dispatch that ends is counted in exactly one cell: a bucket of the latency histogram for a
//! reply, the counter of its kind for a failure. All totals are sums of those, so they agree at any
//! time. Ends are read before beginnings, so there is never a dispatch that ended and has not begun.
//!
//! A message without a handler passes no layer: the bus counts it, by its type, and the snapshot has it
//! among the failures of its name ([`Bus::unhandled`](crate::Bus::unhandled) has the counts alone).
//!
//! # Units
//!
//! Times are read from the clock of the bus, in whole nanoseconds, from the layer to the end of the handler;
//! of a dispatch that was dropped, to its drop. Sums and the slowest reply are exact. A histogram knows
//! replies from 0 to 69 seconds to a sixteenth, and to the nanosecond below 32 ns; slower ones are in its
//! last bucket. [`RouteMetrics::buckets`] and [`RouteMetrics::reply_time`] are what an exporter needs.
//!
//! # Memory
//!
//! [`MEMORY_PER_THREAD_AND_ROUTE`] bytes for each thread that has dispatched through a route, times
//! threads, times routes: 16 threads and 100 routes take 7 MB. It is kept for as long as the
//! [`Metrics`], also where a thread has ended (the next one takes its cells over) or a route was
//! deregistered (it goes on counting when registered again).

mod cells;
pub(crate) mod histogram;
mod layer;
mod middleware;
#[cfg(arcbus_loom)]
mod model;
mod recorder;
mod registry;
mod route;
mod snapshot;
mod totals;

pub use cells::MEMORY_PER_THREAD_AND_ROUTE;
pub use layer::MetricsLayer;
pub use middleware::MetricsGate;
pub use registry::Metrics;
pub use route::{Bucket, RouteMetrics};
pub use snapshot::MetricsSnapshot;

#[cfg(arcbus_loom)]
pub use model::Recorded;
pub(crate) use recorder::Recorder;
