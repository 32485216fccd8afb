//! [`Fallback`]: a substitute reply for a handler that fails.
//!
//! | made by | the reply | cost of a dispatch that succeeds |
//! |---|---|---|
//! | [`Fallback::value`] | a copy of one value | a branch |
//! | [`Fallback::with`] | computed by a closure from the error and the message; or none | a copy of the message |
//! | [`Fallback::handler`] | computed by another handler | a copy of the message |
//!
//! The following table lists the errors that are replaced unless [`when`](Fallback::when) chooses others. For
//! each single kind of error see [the table of errors](crate::docs::errors).
//!
//! | error | replaced |
//! |---|---|
//! | the handler's, [`Transient`](crate::Class::Transient) or [`Unclassified`](crate::Class::Unclassified); its panic; a layer's time limit that passed | yes |
//! | a circuit is open; a rate or concurrency limit is reached | yes |
//! | the handler's, [`Permanent`](crate::Class::Permanent) | no: the backend has answered, "there is none" is an answer |
//! | invalid, rejected, cancelled, ended by its caller's deadline | no: the caller caused it, and it says nothing about the backend |
//! | no handler, would deadlock, in doubt | no: a default reply would hide it |
//! | the handler's, [`Nested`](crate::Class::Nested) | as the error that it carries |
//!
//! A reply of a fallback is marked as a substitute: [`Context::source`](crate::Context::source) returns
//! [`Source::Fallback`](crate::Source) to the outer layers, [metrics](crate::metrics) count it, and a trace
//! shows it. Place the fallback outside the layers that may fail, such as a retry, a breaker or a timeout.
//!
//! # On commands
//!
//! A value or a closure does not run the command again, so both accept commands, too. But their reply says
//! nothing about the effect of the command: after a timeout or a panic the handler may have acted. Let the
//! reply say "accepted, will be looked at" rather than "done".
//!
//! A substitute handler never receives a command whose first run may have acted, unless
//! [`when`](Fallback::when) chooses that error. That suits a handler that only writes the command to an
//! outbox.
//!
//! ```
//! use std::io;
//! use arcbus::metrics::Metrics;
//! use arcbus::middleware::Fallback;
//! use arcbus::{Context, Message, Query, QueryBus, Source, from_fn};
//!
//! struct Suggestions { user: u64 }
//! impl Message for Suggestions {
//!     const NAME: &'static str = "suggestions";
//!     type Kind = Query;
//!     type Reply = Vec<&'static str>;
//!     type Error = io::Error;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let metrics = Metrics::new();
//! let bus = QueryBus::builder()
//!     .layer(metrics.layer())
//!     .scope(|s| {
//!         s.layer(Fallback::value(vec!["bestsellers"])).register(from_fn(
//!             |msg: Suggestions, _: &Context<'_>| match msg.user {
//!                 7 => Ok(vec!["lock-free programming"]),
//!                 _ => Err(io::Error::other("the model is down")),
//!             },
//!         ))
//!     })
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Suggestions { user: 7 })?, ["lock-free programming"]);
//! assert_eq!(bus.execute_blocking(Suggestions { user: 8 })?, ["bestsellers"]);
//! let snapshot = metrics.snapshot();
//! let route = snapshot.route("suggestions").expect("registered");
//! assert_eq!(route.replies_from(Source::Fallback), 1);
//! # Ok(())
//! # }
//! ```

mod choice;
mod layer;
mod middleware;
mod substitute;

pub use choice::Unavailable;
pub use layer::Fallback;
pub use middleware::FallbackRecovery;
pub use substitute::{Value, With};
