//! [`Fallback`]: another reply where the handler has none.
//!
//! | made by | the reply | what it costs a dispatch that succeeds |
//! |---|---|---|
//! | [`Fallback::value`] | a copy of one value | a branch |
//! | [`Fallback::with`] | what a closure makes of the error and the message; or none | a copy of the message |
//! | [`Fallback::handler`] | that of another handler | a copy of the message |
//!
//! Which errors are replaced, unless [`when`](Fallback::when) chooses (for each kind see
//! [the table of errors](crate::docs::errors)):
//!
//! | error | replaced |
//! |---|---|
//! | the handler's, [`Transient`](crate::Class::Transient) or [`Unclassified`](crate::Class::Unclassified); its panic; a layer's time limit that passed | yes |
//! | a circuit is open; a rate or concurrency limit is reached | yes |
//! | the handler's, [`Permanent`](crate::Class::Permanent) | no: the backend has answered, "there is none" is an answer |
//! | invalid, rejected, cancelled, ended by its caller's deadline | no: that is the caller's doing, and says nothing of the backend |
//! | no handler, would deadlock, in doubt | no: a default reply would hide it |
//! | the handler's, [`Nested`](crate::Class::Nested) | as the error that it carries |
//!
//! A reply of a fallback is marked as such: [`Context::source`](crate::Context::source) says
//! [`Source::Fallback`](crate::Source) to the layers outside, [metrics](crate::metrics) count it, and a
//! trace shows it. Place it outside of what may fail (a retry, a breaker, a timeout).
//!
//! # On commands
//!
//! A value or a closure does not run the command again, so they take commands, too. But their reply says
//! nothing of what the command did: after a timeout or a panic the handler may have acted. Let it say
//! "accepted, will be looked at" rather than "done". Another handler is not given a command whose first run
//! may have acted, unless [`when`](Fallback::when) says so: for one that only writes it to an outbox, say.
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
