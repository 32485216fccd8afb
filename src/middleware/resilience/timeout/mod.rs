//! [`Timeout`]: a limit to the time a handler is given.
//!
//! | when | what happens |
//! |---|---|
//! | the dispatch is late when it comes to the layer | refused: `Timeout`, [`Phase::NotStarted`](crate::Phase) |
//! | the time passes while the handler waits | dropped: `Timeout`, [`Phase::Indeterminate`](crate::Phase): it may have acted |
//! | the same, with a [grace](Timeout::grace) | the context says cancelled, the handler is polled; dropped if it is not done when the grace is over |
//! | the handler is done late, but was never asked in between | its reply is kept: work that was done is not thrown away |
//!
//! A handler that never waits is never interrupted: nothing but the end of its turn can do that.
//! What runs inside sees the shortened limit in [`remaining`](crate::Context::remaining), and so do
//! the dispatches it makes with [`execute_in`](crate::Bus::execute_in). Of nested limits the earliest
//! holds; each layer ends what its own limit stops, and the layers around it see the outcome. It also
//! ends what its caller's deadline stops. [`TimeLimit`](crate::TimeLimit) says which of them it was: a
//! layer's own limit counts against the backend wherever outcomes are judged, the caller's deadline does
//! not, for a hasty caller says nothing about the backend. See [`Verdict`](crate::Verdict).
//!
//! It reads the clock once, where nobody has yet; a timer is armed only for a handler that waits.
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
