//! [`Hedge`]: asks a second time when the first answer is slow, and takes the one that comes first.
//!
//! After Dean and Barroso, ["The Tail at Scale"](https://research.google/pubs/the-tail-at-scale/) (2013):
//! a second request after the 95th percentile of the latency cuts the slow tail for a few percent of
//! load. Queries only: a command would act twice.
//!
//! | when | what happens |
//! |---|---|
//! | the handler is ready at its first poll | nothing: no timer, no reading of the clock |
//! | it waits for longer than the delay | it is run again beside the first, if the [budget](Hedge::budget) allows |
//! | one of them replies, or fails so that no other can do better | that is the outcome; the others are dropped at once |
//! | one fails otherwise (transiently, by a panic, by a time limit inside) | the others go on; no further hedge is begun |
//! | all fail | the error of the first attempt |
//! | the first fails before its hedge is begun | its error, at once: repeating is a retry's |
//! | the caller cancels, or its time is over | all are dropped; past the deadline none is begun |
//!
//! Each hedge sees its number in [`attempt`](crate::Context::attempt), counted on from that of the first:
//! in the second attempt of a retry further out, the first is 2 and its hedge is 3. The layers inside a hedge see each
//! attempt (so a bulkhead there counts two), those outside see one dispatch.
//!
//! # The delay
//!
//! [`after`](Hedge::after) is a fixed one. [`quantile`](Hedge::quantile) measures it: the latencies of
//! first attempts, from the moment they begin to wait, in a histogram (after
//! [HdrHistogram](http://hdrhistogram.org), known to 1/16). The quantile of the last two windows of
//! [`samples`](Hedge::samples) is computed anew at the end of each by the thread that completes it; so old
//! latencies are forgotten. An attempt that is cut short because it lost to its hedge counts with the time it
//! had taken, once that is past the delay: it was at least so slow. Without that, the slow ones would be
//! missing, and the delay would fall. One that its caller ended is no sample, unless it had run for
//! [`slow_after`](Hedge::slow_after): how long a caller waits says nothing about the backend.
//!
//! A first attempt that is ready at its first poll is neither measured nor paid for in the budget: it
//! cannot be hedged.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use arcbus::middleware::Hedge;
//! use arcbus::{Context, Message, Query, QueryBus, from_async_fn};
//!
//! #[derive(Clone)]
//! struct Lookup { key: u64 }
//! impl Message for Lookup {
//!     const NAME: &'static str = "lookup";
//!     type Kind = Query;
//!     type Reply = u64;
//!     type Error = Infallible;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let hedge = Hedge::after(Duration::from_millis(2));
//! let handles = hedge.handles();
//! let bus = QueryBus::builder()
//!     .scope(|s| {
//!         s.layer(hedge).register(from_async_fn(async |msg: Lookup, cx: &Context<'_>| {
//!             if cx.attempt() == 1 {
//!                 std::future::pending::<()>().await; // a replica that has stalled
//!             }
//!             Ok::<_, Infallible>(msg.key)
//!         }))
//!     })
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Lookup { key: 7 }), Ok(7));
//! let counts = handles.get("lookup").expect("registered").counts();
//! assert_eq!((counts.fired, counts.won), (1, 1));
//! # Ok(())
//! # }
//! ```

mod hedges;
mod layer;
mod middleware;
mod policy;
mod race;
mod sample;
mod waiting;

pub use layer::Hedge;
pub use middleware::HedgeMiddleware;
pub use policy::{HedgeCounts, HedgePolicy};
