//! [`Retry`]: another attempt for a message that failed.
//!
//! | the error | another attempt |
//! |---|---|
//! | the handler's, [`Class::Transient`](crate::Class) | yes |
//! | the handler's, [`Class::Unclassified`](crate::Class) | of a query; of a command no |
//! | the handler's, [`Class::Permanent`](crate::Class) | no |
//! | the handler's, [`Class::Nested`](crate::Class) | as the error that it carries |
//! | `CircuitOpen`, `RateLimited`, `Overloaded` of a layer inside | yes, after its `retry_after` and the delay on top |
//! | `Invalid`, `Rejected`, `Cancelled`, `HandlerNotFound`, `Timeout` | never |
//! | a panic, and all else after which [the handler may have acted](crate::ErrorKind::is_indeterminate) | never |
//!
//! A predicate can decide where the table does not say "never": [`retry_if`](Retry::retry_if). For each kind of
//! error see [the table of errors](crate::docs::errors).
//!
//! A command needs [`Idempotent`](crate::Idempotent), or it does not compile; every message needs `Clone`,
//! for the handler takes it by value. So the layer stands in a scope of the messages that have both.
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use arcbus::middleware::Retry;
//! use arcbus::{Context, Message, Query, QueryBus, from_fn};
//!
//! #[derive(Clone)]
//! struct GetUser(u64);
//! impl Message for GetUser {
//!     const NAME: &'static str = "user.get";
//!     type Kind = Query;
//!     type Reply = u64;
//!     type Error = io::Error;
//! }
//!
//! let retry = Retry::exponential(3, Duration::from_millis(1));
//! let handles = retry.handles();
//! let bus = QueryBus::builder()
//!     .scope(|s| {
//!         s.layer(retry).register(from_fn(|msg: GetUser, cx: &Context<'_>| match cx.attempt() {
//!             1 => Err(io::ErrorKind::ConnectionReset.into()),
//!             _ => Ok(msg.0),
//!         }))
//!     })
//!     .build()?;
//! assert_eq!(bus.execute_blocking(GetUser(7)).unwrap(), 7);
//! assert_eq!(handles.get("user.get").expect("registered").repeats(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a caller gets
//!
//! The reply of the attempt that has one, or the error of the last attempt. There is no error of the
//! layer's own. That holds as well where attempts are left, but the pause would end at the caller's
//! deadline or after it, is longer than [`max_delay`](Retry::max_delay), or the [budget](Retry::budget) is
//! exhausted: then it returns at once. A caller that cancels, or whose time runs out, between two attempts
//! gets that error, too: it is what is known of the handler. During an attempt, it is stopped as without
//! the layer. Inside, [`attempt`](crate::Context::attempt) says which one it is,
//! counted on from that of a retry or a hedge further out.
//!
//! # What it costs
//!
//! While nothing fails: a copy of the message, and a reading of the budget's word (2026-11: 6 instructions on
//! a thread, 15 awaited, for a message of two words). An awaited message that is repeated allocates once, and
//! each pause arms an alarm of the clock.

mod backoff;
mod course;
mod jitter;
mod judge;
mod layer;
mod middleware;
mod plan;
mod policy;

pub use backoff::Backoff;
pub use course::Course;
pub use jitter::Jitter;
pub use judge::ByClass;
pub use layer::Retry;
pub use middleware::RetryRecovery;
pub use policy::RetryPolicy;
