//! [`Cache`]: a reply is given again to whoever asks with the same key, and made once while many wait.
//!
//! ```
//! use std::time::Duration;
//! use arcbus::middleware::{Cache, Cacheable};
//! use arcbus::{Context, Message, Query, QueryBus, from_fn};
//!
//! #[derive(Clone, PartialEq, Eq, Hash)]
//! struct FindUsers { role: String, page: u32 }
//!
//! impl Message for FindUsers {
//!     const NAME: &'static str = "user.find";
//!     type Kind = Query;
//!     type Reply = Vec<u64>;
//!     type Error = std::convert::Infallible;
//! }
//!
//! impl Cacheable for FindUsers {
//!     type Key = Self; // every parameter
//!     fn key(&self) -> &Self { self }
//! }
//!
//! let bus = QueryBus::builder()
//!     .scope(|s| {
//!         s.layer(Cache::ttl(Duration::from_secs(600)))
//!             .register(from_fn(|_: FindUsers, _: &Context<'_>| Ok(vec![1, 7])))
//!     })
//!     .build()?;
//! let admins = FindUsers { role: "admin".into(), page: 1 };
//! assert_eq!(bus.execute_blocking(admins.clone())?, bus.execute_blocking(admins)?);
//! # Ok::<_, Box<dyn std::error::Error>>(())
//! ```
//!
//! # What is kept, and what is not
//!
//! Replies of the handler are. Errors are not, unless [asked for](Cache::cache_errors); nor is what a
//! [`Fallback`](crate::Source::Fallback) further in put in the place of an error. Each registered route
//! has a cache of its own, unless it is [shared](crate::LayerExt::shared): a handler that is replaced takes
//! its replies along.
//!
//! While one dispatch runs the rest for a key, others that ask for it wait, with their own deadline and
//! cancellation ([`Phase::NotStarted`](crate::Phase): their own handler did not run). The run belongs to all of
//! them. When its dispatch is dropped or late, the caller that has waited longest goes on with it, and it ends
//! when the last caller leaves. Inside it no caller's deadline or token holds, and
//! [`Context::remaining`](crate::Context::remaining) is the time of the caller that waits longest. A
//! [`static_bus!`](crate::static_bus) owns no route that a run could share, so the next caller begins anew there. If
//! a run fails, the one who has waited longest runs the rest next. A handler that asks for its
//! own key, in the context it was given, gets [`WouldDeadlock`](crate::Error::WouldDeadlock); two that wait
//! for each other's keys, or one that asks outside its context, wait until their time is over.
//!
//! What commands change is dropped from the cache by [`Invalidates`], and by hand by [`CacheHandle`]. A
//! run that was under way then is not kept. A handler that reads from its context makes replies for one
//! caller: see [`vary_by`](Cache::vary_by).
//!
//! # What it costs
//!
//! A hit: a hash of the key, a shard's read lock (quick_cache's), under which the reply is shared, one
//! reading of the clock where nobody has yet, a clone of the reply under no lock, and a count that no other
//! thread writes. No allocation, also for a `String` key. A miss copies the key, takes the lock of one of
//! 32 parts twice, and clones the reply once. A route takes 8 KiB for its counts.
//!
//! Of user code, `Hash`, `Eq` and `Borrow` of a key run under a lock and must not dispatch. Nothing else
//! does: clones, drops and predicates may use the cache.

mod chain;
mod handle;
mod invalidate;
mod keep;
mod key;
mod layer;
mod middleware;
mod policy;
mod route;
mod run;
mod stats;
mod vary;

#[cfg(feature = "derive")]
pub use arcbus_macros::Cacheable;
pub use handle::CacheHandle;
pub use invalidate::{Invalidates, Invalidator, InvalidatorGate, InvalidatorPass, Outdated, Which};
pub use key::Cacheable;
pub use layer::Cache;
pub use middleware::CacheAnswer;
pub use stats::CacheStats;

pub(super) use handle::Handles;
pub(super) use keep::Replies;
pub(super) use layer::{keeping_nothing, most_waiters, waiters_note, waiting};
pub(super) use vary::{Alike, By, Vary};
