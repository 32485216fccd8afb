//! [`Cache`]: gives a kept reply to every caller with an equal key, and runs the handler once for many
//! waiters.
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
//! # Kept outcomes
//!
//! The replies of the handler are kept. Errors are not kept, unless [asked for](Cache::cache_errors). A
//! substitute that an inner [`Fallback`](crate::Source::Fallback) gives in place of an error is not kept
//! either. Each registered route has a cache of its own, unless the cache is
//! [shared](crate::LayerExt::shared). A handler that is replaced takes its replies along.
//!
//! While one dispatch runs the inner service for a key, other dispatches of that key wait. Each waits with
//! its own deadline and cancellation ([`Phase::NotStarted`](crate::Phase), because its own handler did not
//! run). The run belongs to all of them. When the leading dispatch is dropped or late, the caller that has
//! waited longest goes on with the run. The run ends when the last caller leaves. Inside the run no caller's
//! deadline or token holds, and [`Context::remaining`](crate::Context::remaining) is the time of the caller
//! that can wait longest.
//!
//! A [`static_bus!`](crate::static_bus) owns no route that a run could share. When its leading dispatch
//! leaves, the next caller therefore begins a new run.
//!
//! If a run fails, the caller that has waited longest runs the inner service next. A handler that asks for
//! its own key, in the context of its run, gets [`WouldDeadlock`](crate::Error::WouldDeadlock). Two handlers
//! that wait for each other's keys wait until their time is over. A handler that asks for its own key outside
//! its context waits that long, too.
//!
//! [`Invalidates`] drops the entries that commands change, and [`CacheHandle`] drops entries by hand. The
//! reply of a run that is under way at that moment is not kept. A handler that reads from its context makes
//! replies for one caller, and needs [`vary_by`](Cache::vary_by).
//!
//! # Cost
//!
//! A hit hashes the key and takes the read lock of one quick_cache shard, under which the reply is shared.
//! The hit reads the clock once, unless the dispatch has already read it. The reply is cloned under no lock,
//! and the hit is counted in a cell that no other thread writes. A hit allocates nothing, also for a `String`
//! key. A miss copies the key, takes the lock of one of 32 parts twice, and clones the reply once. A route
//! takes 8 KiB for its counts.
//!
//! User code runs under a lock only in the `Hash`, `Eq` and `Borrow` of a key, which must not dispatch.
//! Clones, drops and predicates run under no lock, and may use the cache.

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
