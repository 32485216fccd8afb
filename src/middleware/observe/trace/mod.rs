//! [`Trace`]: a span around every dispatch (feature `tracing`).
//!
//! ```
//! use arcbus::middleware::Trace;
//! use arcbus::{Context, Message, Query, QueryBus, from_fn};
//!
//! struct Ping;
//! impl Message for Ping {
//!     const NAME: &'static str = "ping";
//!     type Kind = Query;
//!     type Reply = ();
//!     type Error = std::convert::Infallible;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let bus = QueryBus::builder()
//!     .layer(Trace::new())
//!     .register(from_fn(|_: Ping, _: &Context<'_>| Ok(())))
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Ping), Ok(()));
//! # Ok(())
//! # }
//! ```

mod layer;
mod levels;
mod middleware;
mod span;

pub use layer::Trace;
pub use middleware::TraceGate;
pub use span::DispatchSpan;
