//! [`CacheHandle`]: invalidates and counts the kept replies of one message, from outside the pipeline.

use std::fmt;

use smallvec::SmallVec;

use super::invalidate::Invalidator;
use super::{CacheStats, Cacheable};
use crate::message::Message;
use crate::sync::{Mutex, PlainArc, PlainWeak};
use crate::type_map::TypeMap;

/// A handle to the replies that a [`Cache`](super::Cache) or a [`Coalesce`](crate::middleware::Coalesce)
/// keeps for the query `M` on all its routes. The handle invalidates these replies, and counts them. The
/// layer returns the handle, and all its clones act on these routes.
///
/// Once an invalidation has returned, later callers get no reply that is older than the invalidation. The
/// kept replies are gone, and the reply of a run that is under way goes to its present waiters but is not
/// kept.
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

/// The routes of one message that are still in use.
type Live<M> = Mutex<SmallVec<[PlainWeak<dyn Holds<M>>; 1]>>;

/// A route that keeps replies to `M`, without the other parameters of its type.
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

    /// Drops the entry under `key`. With [`vary_by`](super::Cache::vary_by), drops the entries of that key
    /// for every value of the context, and looks at all keys to find them.
    pub fn invalidate(&self, key: &M::Key) {
        self.each(|holds| holds.invalidate(key));
    }

    /// Drops the entry under each key for which `which` returns true. Looks at all keys, and copies them, so
    /// that the closure runs under no lock.
    pub fn invalidate_if(&self, mut which: impl FnMut(&M::Key) -> bool) {
        self.each(|holds| holds.invalidate_if(&mut which));
    }

    /// Drops all entries.
    pub fn invalidate_all(&self) {
        self.each(|holds| holds.invalidate_all());
    }

    /// Returns the counts of all routes together.
    #[must_use]
    pub fn stats(&self) -> CacheStats {
        let mut sum = CacheStats::default();
        self.each(|holds| sum = sum.plus(holds.stats()));
        sum
    }

    /// Returns a layer for the commands that change the kept replies. See
    /// [`Invalidates`](super::Invalidates).
    #[must_use]
    pub fn invalidator(&self) -> Invalidator<M> {
        Invalidator::new(self.clone())
    }

    /// Calls `act` for each route in use, outside the lock, under which no user code may run.
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

/// The handles of a layer, one for each message. All clones share them.
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
        // The formatter runs user code, so the names are copied out of the lock first.
        let names = self.0.lock().names.clone();
        f.debug_set().entries(names).finish()
    }
}
