//! [`Coalesce`]: runs the handler once a key at a time, and gives the reply to all waiters.
//!
//! The layer is a [`Cache`](crate::middleware::Cache) that keeps nothing. It suits replies that must be new,
//! from a backend that should not get a hundred equal queries at once. A caller that comes during a run gets
//! the reply of that run, which may be older than the call. Give the [`invalidator`](Coalesce::invalidator)
//! to each command that changes the replies, so that a query after the command joins no older run.
//!
//! ```
//! use arcbus::middleware::{Cacheable, Coalesce};
//! use arcbus::{Context, Message, Query, QueryBus, from_fn};
//!
//! struct Stock(u64);
//!
//! impl Message for Stock {
//!     const NAME: &'static str = "stock";
//!     type Kind = Query;
//!     type Reply = u32;
//!     type Error = std::convert::Infallible;
//! }
//!
//! impl Cacheable for Stock {
//!     type Key = u64;
//!     fn key(&self) -> &u64 { &self.0 }
//! }
//!
//! let coalesce = Coalesce::new();
//! let handle = coalesce.handle::<Stock>();
//! let bus = QueryBus::builder()
//!     .scope(|s| s.layer(coalesce).register(from_fn(|_: Stock, _: &Context<'_>| Ok(3))))
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Stock(7)), Ok(3));
//! assert_eq!((handle.stats().loads, handle.stats().waits), (1, 0));
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! Each dispatch copies its key, takes the lock of one of 32 parts twice, and allocates for its flight.

mod layer;

pub use layer::Coalesce;
