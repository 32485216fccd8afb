//! [`CacheHandle`]: what is kept of one message, from outside.

use std::fmt;

use smallvec::SmallVec;

use super::invalidate::Invalidator;
use super::{CacheStats, Cacheable};
use crate::message::Message;
use crate::sync::{Mutex, PlainArc, PlainWeak};
use crate::type_map::TypeMap;

/// What a [`Cache`](super::Cache) or a [`Coalesce`](crate::middleware::Coalesce) keeps for the query `M`
/// on all its routes: to invalidate it and to count. Got from the layer; clones are the same.
///
/// When an invalidation returns, nothing older than it is given any more to whoever asks from then on: what
/// was kept is gone, and a run that is under way answers those who wait for it already and is not kept.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::{Cache, Cacheable};
/// use arcbus::{Context, Message, Query, QueryBus, from_fn};
///
/// struct GetUser(u64);
/// impl Message for GetUser {
///     const NAME: &'static str = "user.get";
///     type Kind = Query;
///     type Reply = String;
///     type Error = std::convert::Infallible;
/// }
/// impl Cacheable for GetUser {
///     type Key = u64;
///     fn key(&self) -> &u64 { &self.0 }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let cache = Cache::ttl(Duration::from_secs(600));
/// let users = cache.handle::<GetUser>();
/// let bus = QueryBus::builder()
///     .scope(|s| {
///         s.layer(cache)
///             .register(from_fn(|msg: GetUser, _: &Context<'_>| Ok(format!("user {}", msg.0))))
///     })
///     .build()?;
/// bus.execute_blocking(GetUser(7))?;
/// bus.execute_blocking(GetUser(7))?;
/// assert_eq!((users.stats().hits, users.stats().loads), (1, 1));
///
/// users.invalidate(&7);
/// bus.execute_blocking(GetUser(7))?;
/// assert_eq!(users.stats().loads, 2);
/// # Ok(())
/// # }
/// ```
pub struct CacheHandle<M: Cacheable>(PlainArc<Live<M>>);

/// Those of one message that are still in use.
type Live<M> = Mutex<SmallVec<[PlainWeak<dyn Holds<M>>; 1]>>;

/// A route that keeps something, whatever else its type says.
pub(super) trait Holds<M: Cacheable>: Send + Sync {
    fn invalidate(&self, key: &M::Key);
    fn invalidate_if(&self, which: &mut dyn FnMut(&M::Key) -> bool);
    fn invalidate_all(&self);
    fn stats(&self) -> CacheStats;
}

impl<M: Cacheable> CacheHandle<M> {
    fn new() -> Self {
        Self(PlainArc::new(Mutex::new(SmallVec::new())))
    }

    /// Drops what is kept under `key`: with [`vary_by`](super::Cache::vary_by), for every value of the
    /// context, which takes a look at all keys.
    pub fn invalidate(&self, key: &M::Key) {
        self.each(|holds| holds.invalidate(key));
    }

    /// Drops what is kept under each key that `which` holds for. Looks at all keys, and copies them, so
    /// that the closure runs under no lock.
    pub fn invalidate_if(&self, mut which: impl FnMut(&M::Key) -> bool) {
        self.each(|holds| holds.invalidate_if(&mut which));
    }

    /// Drops everything.
    pub fn invalidate_all(&self) {
        self.each(|holds| holds.invalidate_all());
    }

    /// The counts of all routes together.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let mut sum = CacheStats::default();
        self.each(|holds| sum = sum.plus(holds.stats()));
        sum
    }

    /// A layer for the commands that change what this keeps. See [`Invalidates`](super::Invalidates).
    #[must_use]
    pub fn invalidator(&self) -> Invalidator<M> {
        Invalidator::new(self.clone())
    }

    /// Without the lock, under which no code of others may run.
    fn each(&self, act: impl FnMut(&dyn Holds<M>)) {
        let live = self
            .0
            .lock()
            .iter()
            .filter_map(PlainWeak::upgrade)
            .collect();
        let live: SmallVec<[PlainArc<dyn Holds<M>>; 2]> = live;
        live.iter().map(|holds| &**holds).for_each(act);
    }

    pub(super) fn add(&self, holds: &PlainArc<impl Holds<M> + 'static>) {
        let holds: PlainWeak<dyn Holds<M>> = PlainArc::downgrade(holds) as _;
        let mut live = self.0.lock();
        live.retain(|holds| holds.strong_count() > 0);
        live.push(holds);
    }
}

impl<M: Cacheable> Clone for CacheHandle<M> {
    fn clone(&self) -> Self {
        Self(PlainArc::clone(&self.0))
    }
}

impl<M: Cacheable> fmt::Debug for CacheHandle<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheHandle")
            .field("message", &M::NAME)
            .field("stats", &self.stats())
            .finish()
    }
}

/// The handles of a layer, a message each; clones are the same.
#[derive(Clone, Default)]
pub(in crate::middleware) struct Handles(PlainArc<Mutex<Known>>);

/// The [`CacheHandle`] of each message, and the names of the messages.
#[derive(Default)]
struct Known {
    handles: TypeMap,
    names: Vec<&'static str>,
}

impl Handles {
    pub(in crate::middleware) fn of<M: Cacheable>(&self) -> CacheHandle<M> {
        let mut known = self.0.lock();
        if let Some(handle) = known.handles.get::<CacheHandle<M>>() {
            return handle.clone();
        }
        let handle = CacheHandle::<M>::new();
        known.names.push(<M as Message>::NAME);
        let _none = known.handles.insert(handle.clone());
        handle
    }
}

impl fmt::Debug for Handles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What writes is user code.
        let names = self.0.lock().names.clone();
        f.debug_set().entries(names).finish()
    }
}
