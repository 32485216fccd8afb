//! [`Retry`]: another attempt for a message that failed.
//!
//! | error | another attempt |
//! |---|---|
//! | the handler's, [`Class::Transient`](crate::Class) | yes |
//! | the handler's, [`Class::Unclassified`](crate::Class) | for a query yes, for a command no |
//! | the handler's, [`Class::Permanent`](crate::Class) | no |
//! | the handler's, [`Class::Nested`](crate::Class) | as the error that it carries |
//! | `CircuitOpen`, `RateLimited`, `Overloaded` of an inner layer | yes, after its `retry_after` and the delay on top |
//! | `Invalid`, `Rejected`, `Cancelled`, `HandlerNotFound`, `Timeout` | never |
//! | a panic, and all other errors after which [the handler may have acted](crate::ErrorKind::is_indeterminate) | never |
//!
//! Where the table does not say "never", a predicate can decide: see [`retry_if`](Retry::retry_if). For each
//! kind of error see [the table of errors](crate::docs::errors).
//!
//! A command needs [`Idempotent`](crate::Idempotent), or the code does not compile. Every message needs
//! `Clone`, because the handler takes it by value. So the layer belongs in a scope of the messages that meet
//! these bounds.
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
//! # Result
//!
//! The caller receives the reply of the first attempt that succeeds, or the error of the last attempt. The
//! layer adds no error of its own.
//!
//! The layer returns the last error at once, even with attempts left, in three cases: the pause would end at
//! the caller's deadline or later, the pause is longer than [`max_delay`](Retry::max_delay), or the
//! [budget](Retry::budget) is exhausted. A caller that cancels or runs out of time between two attempts
//! receives that error, too, because it is all that is known of the handler. During an attempt, the caller is
//! stopped as without the layer.
//!
//! In the inner services, [`attempt`](crate::Context::attempt) returns the number of the attempt, continuing
//! the number of a retry or a hedge further out.
//!
//! # Cost
//!
//! A dispatch that succeeds costs a copy of the message and a read of the budget's word (2026-11: 6
//! instructions in a blocking dispatch, 15 in an awaited one, for a message of two words). An awaited message
//! that is repeated allocates once, and each pause arms an alarm of the clock.

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
