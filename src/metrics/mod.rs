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
//! Each thread has its own cells for each route, and is the only thread to write them, by a plain
//! load and store. A snapshot adds up the cells of all threads. So dispatching threads never write
//! to common memory. The first 64 threads of a process that are alive at a time have their own
//! cells. Further threads share a set of cells, which they write by atomic additions.
//!
//! Each dispatch that ends is counted in exactly one cell: a bucket of the latency histogram for a
//! reply, the counter of its kind for a failure. All totals are sums of those cells, so they agree
//! at any time. A snapshot reads ends before beginnings, so a dispatch never ends without having
//! begun.
//!
//! A message without a handler passes no layer. The bus counts such messages by type, and the
//! snapshot adds them to the failures under the message's name.
//! [`Bus::unhandled`](crate::Bus::unhandled) returns these counts alone.
//!
//! # Units
//!
//! Times are read from the clock of the bus, in whole nanoseconds, from the layer to the end of the
//! handler or to the drop of the dispatch. Sums and the slowest reply are exact. A histogram holds
//! replies from 0 to 69 seconds with an error of a sixteenth, and exactly below 32 ns. Slower
//! replies are in its last bucket. An exporter needs [`RouteMetrics::buckets`] and
//! [`RouteMetrics::reply_time`].
//!
//! # Memory
//!
//! Memory is [`MEMORY_PER_THREAD_AND_ROUTE`] bytes for each route and each thread that has
//! dispatched through the route: 16 threads and 100 routes take 7 MB. The memory lives as long as
//! the [`Metrics`]. A new thread takes over the cells of an ended thread, and a deregistered route
//! goes on counting when registered again.

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
