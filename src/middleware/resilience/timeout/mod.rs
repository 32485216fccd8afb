//! [`Timeout`]: a limit on the time that a handler is given.
//!
//! | when | result |
//! |---|---|
//! | the dispatch is already late when the layer receives it | rejected: `Timeout`, [`Phase::NotStarted`](crate::Phase) |
//! | the time passes while the handler waits | dropped: `Timeout`, [`Phase::Indeterminate`](crate::Phase): it may have acted |
//! | the time passes while the handler waits, with a [grace](Timeout::grace) | the context says cancelled, the handler is polled; dropped if it is not done when the grace is over |
//! | the handler is done late, but never returned pending in between | its reply is kept: finished work is not thrown away |
//!
//! A handler that never waits is never interrupted, because only returning from its poll makes that possible.
//! Inner services see the shortened limit in [`remaining`](crate::Context::remaining), and so do the
//! dispatches they make with [`execute_in`](crate::Bus::execute_in). Of nested limits the earliest holds:
//! each layer stops its inner service at its own limit and at the caller's deadline, and the layers around it
//! see the outcome.
//!
//! [`TimeLimit`](crate::TimeLimit) names the limit that passed. A layer's own limit counts against the
//! backend wherever outcomes are judged (see [`Verdict`](crate::Verdict)). The caller's deadline does not,
//! because a hasty caller says nothing about the backend.
//!
//! The layer reads the clock once, unless the dispatch has read it already, and arms a timer only for a
//! handler that waits.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use arcbus::{Context, Error, Message, Query, QueryBus, TimeLimit, from_async_fn};
//! use arcbus::middleware::Timeout;
//!
//! struct Report;
//! impl Message for Report {
//!     const NAME: &'static str = "report";
//!     type Kind = Query;
//!     type Reply = String;
//!     type Error = Infallible;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bus = QueryBus::builder()
//!     .layer(Timeout::new(Duration::from_millis(5)))
//!     .register(from_async_fn(async |_: Report, _: &Context<'_>| {
//!         std::future::pending::<Result<String, Infallible>>().await // a database that does not answer
//!     }))
//!     .build()?;
//! let error = bus.execute_blocking(Report).unwrap_err();
//! assert!(error.is_indeterminate());
//! assert!(matches!(error, Error::Timeout { limit: TimeLimit::Layer, .. }));
//! # Ok(())
//! # }
//! ```

mod layer;
mod middleware;
mod policy;

pub use layer::Timeout;
pub use middleware::{Fixed, TimeoutLimit};
pub use policy::TimeoutPolicy;

pub use crate::pipeline::Limited;
