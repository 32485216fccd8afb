//! [`Idempotency`]: a command that is sent twice acts once.
//!
//! A caller that gets no answer to a command cannot know whether the command acted, and sends it again. With
//! one key on both messages, the second finds the outcome of the first.
//!
//! ```
//! use std::time::Duration;
//! use arcbus::middleware::idempotency::{Idempotency, IdempotencyKey};
//! use arcbus::{Command, CommandBus, Context, Message, from_fn};
//!
//! #[derive(Hash)]
//! struct Charge { cents: u64 }
//! impl Message for Charge {
//!     const NAME: &'static str = "card.charge";
//!     type Kind = Command;
//!     type Reply = u64;
//!     type Error = std::convert::Infallible;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # use std::sync::atomic::{AtomicU64, Ordering};
//! # static CHARGED: AtomicU64 = AtomicU64::new(0);
//! let bus = CommandBus::builder()
//!     .layer(Idempotency::in_memory(Duration::from_secs(3600)))
//!     .register(from_fn(|msg: Charge, _: &Context<'_>| {
//!         Ok(CHARGED.fetch_add(msg.cents, Ordering::Relaxed) + msg.cents) // the card's total
//!     }))
//!     .build()?;
//!
//! let send = |key: &str, cents| {
//!     let cx = Context::new().with(IdempotencyKey::new(key)); // an HTTP header, usually
//!     bus.execute_blocking_with(Charge { cents }, cx)
//! };
//! assert_eq!(send("a1", 500), Ok(500));
//! assert_eq!(send("a1", 500), Ok(500)); // the first reply again
//! assert_eq!(send("a2", 500), Ok(1000));
//! assert!(send("a1", 900).unwrap_err().is_rejected()); // not what it was first sent with
//! # Ok(())
//! # }
//! ```
//!
//! Follows the pattern of Stripe's API ("Designing robust and predictable APIs with idempotency", 2017) and
//! the IETF draft "The Idempotency-Key HTTP Header Field".
#![doc = include_str!("details.md")]

mod counts;
mod fingerprint;
mod key;
mod layer;
mod middleware;
mod policy;
mod refused;
mod routes;
mod store;
mod stores;

pub use counts::IdempotencyCounts;
pub use fingerprint::{Fingerprint, Fnv};
pub use key::{ByContext, ByField, HasIdempotencyKey, IdempotencyKey, ToIdempotencyKey};
pub use layer::Idempotency;
pub use middleware::IdempotencyAnswer;
pub use policy::{MemoryStore, Room, Run};
pub use store::{Begin, Claim, Progress, Record, Store};
pub use stores::{InMemory, Shared, Stores};
