//! [`Hedge`]: repeats a query when the first reply is slow, and takes the reply that arrives first.
//!
//! The method follows Dean and Barroso,
//! ["The Tail at Scale"](https://research.google/pubs/the-tail-at-scale/) (2013). A second request after the
//! 95th percentile of the latency cuts the slow tail for a few percent of load. The layer accepts queries
//! only, because a command would act twice.
//!
//! | when | result |
//! |---|---|
//! | the handler is ready at its first poll | nothing: no timer, no reading of the clock |
//! | the handler waits for longer than the delay | it is run again beside the first run, if the [budget](Hedge::budget) allows |
//! | an attempt replies, or fails so that no other can do better | that is the outcome; the other attempts are dropped at once |
//! | an attempt fails otherwise (transiently, by a panic, by a time limit inside) | the other attempts continue; no further hedge is started |
//! | all attempts fail | the error of the first attempt |
//! | the first attempt fails before its hedge is started | its error, at once: repeating is the task of a retry |
//! | the caller cancels, or its time is over | all attempts are dropped; past the deadline none is started |
//!
//! Each hedge sees its number in [`attempt`](crate::Context::attempt), which continues the number of the
//! first attempt. In the second attempt of a retry further out, the first attempt is 2 and its hedge is 3.
//! The layers inside a hedge see each attempt (so a bulkhead there counts two), and the layers outside see
//! one dispatch.
//!
//! # The delay
//!
//! [`after`](Hedge::after) sets a fixed delay. [`quantile`](Hedge::quantile) measures the delay: a histogram
//! (after [HdrHistogram](http://hdrhistogram.org), known to 1/16) records the latencies of first attempts,
//! from the moment they begin to wait. The thread that completes a window of [`samples`](Hedge::samples)
//! computes the quantile of the last two windows anew, so old latencies are forgotten.
//!
//! An attempt that lost to its hedge counts with the time it had taken, once that time exceeds the delay,
//! because it was at least that slow. Without such samples, the slow attempts would be missing, and the delay
//! would fall. An attempt that its caller ended is no sample, unless it had run for
//! [`slow_after`](Hedge::slow_after): the patience of a caller says nothing about the backend.
//!
//! A first attempt that is ready at its first poll is neither measured nor paid for in the budget, because it
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
