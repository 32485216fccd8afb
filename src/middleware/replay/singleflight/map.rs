//! [`Flights`]: the flights of all keys.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;

use super::flight::Flight;
use super::leader::Leader;
use super::stay::Stay;
use super::waiter::Waiter;
use crate::random::random_state;
use crate::sync::{Arc, Mutex};

/// The number of locks over which the keys are spread, of which a model needs only one.
const SHARDS: usize = if cfg!(arcbus_loom) { 1 } else { 32 };

/// The flights of all keys that are in the air.
///
/// The lock of a shard orders three events of a key: the joining of waiters, the landing of the flight,
/// and its [`detach`](Flights::detach)ment. The lock of a shard is taken before the lock of a flight. Of
/// user code, only the `Hash` and `Eq` of a key and the given closures run under the lock of a shard. A copy
/// of a key may be made and dropped there too, because the key of a user is a shared pointer.
pub(crate) struct Flights<K, V, R> {
    shards: Box<[Mutex<Shard<K, V, R>>]>,
    hasher: RandomState,
    /// The largest number of waiters of one flight.
    max_waiters: usize,
}

pub(super) type Shard<K, V, R> = HashMap<K, Arc<Flight<V, R>>, RandomState>;

/// The outcome of joining the flight of a key.
pub(crate) enum Joined<'f, K: Hash + Eq, V, R> {
    /// There was no flight, so the caller is to make the load.
    Leader(Leader<'f, K, V, R>),
    /// Another dispatch makes the load, and the caller waits.
    Waiter(Waiter<'f, K, V, R>),
    /// The flight of this number has as many waiters as it may have.
    Full(u64),
}

impl<K: Hash + Eq, V, R> Flights<K, V, R> {
    pub(crate) fn new(max_waiters: usize) -> Self {
        let hasher = random_state();
        let shard = |_| Mutex::new(HashMap::with_hasher(hasher.clone()));
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            hasher,
            max_waiters,
        }
    }

    pub(crate) fn max_waiters(&self) -> usize {
        self.max_waiters
    }

    /// Joins the flight of `key`, or begins one. If no flight is in the air, first calls `landed` under the
    /// shard's lock, to find a value that has landed in the meantime. Such a value is returned as the error.
    pub(crate) fn join<Q, T>(
        &self,
        key: &Q,
        stay: Stay,
        landed: impl FnOnce() -> Option<T>,
    ) -> Result<Joined<'_, K, V, R>, T>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        // Copied outside the lock, because the copying of a key is user code.
        let (owned, kept) = (key.to_owned(), key.to_owned());
        let mut shard = self.shard(key).lock();
        if let Some(flight) = shard.get(key) {
            let flight = Arc::clone(flight);
            return Ok(match flight.join(self.max_waiters, stay) {
                Some(seat) => Joined::Waiter(Waiter::new(self, owned, flight, seat, stay)),
                None => Joined::Full(flight.number()),
            });
        }
        if let Some(landed) = landed() {
            return Err(landed);
        }
        let flight = Arc::new(Flight::new(stay));
        // The key had no entry, so no former entry is dropped under the lock.
        shard.insert(kept, Arc::clone(&flight));
        Ok(Joined::Leader(Leader::new(self, owned, flight, None, stay)))
    }

    /// Detaches the flight of `key`, so that later callers begin a new one. A detached flight still lands
    /// for its present waiters, and publishes nothing. Runs `then` under the shard's lock, so before any
    /// caller can join a flight of the key or land one.
    pub(crate) fn detach<Q, T>(&self, key: &Q, then: impl FnOnce() -> T) -> T
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Declared before the guard of the lock, and so dropped after the guard, also when `then` panics.
        let removed;
        let mut shard = self.shard(key).lock();
        removed = shard.remove_entry(key);
        let then = then();
        drop(shard);
        drop(removed);
        then
    }

    /// Detaches the flights of all keys, one shard after the other, as [`detach`](Flights::detach) does.
    pub(crate) fn detach_all(&self) {
        for shard in &self.shards {
            let removed: Vec<_> = shard.lock().drain().collect();
            drop(removed);
        }
    }

    /// Returns the keys of all flights in the air. A flight that landed before this call is left out, and
    /// the value that it published is visible to the caller.
    pub(crate) fn keys(&self) -> Vec<K>
    where
        K: Clone,
    {
        let shards = self.shards.iter();
        let keys = |shard: &Mutex<Shard<K, V, R>>| shard.lock().keys().cloned().collect::<Vec<_>>();
        shards.flat_map(keys).collect()
    }

    pub(super) fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<Shard<K, V, R>> {
        let hash = self.hasher.hash_one(key);
        &self.shards[(hash >> 32) as usize % self.shards.len()]
    }
}

/// Removes the entry of `key` from the map if `flight` is still its flight.
pub(super) fn take<K: Hash + Eq, V, R>(
    shard: &mut Shard<K, V, R>,
    key: &K,
    flight: &Arc<Flight<V, R>>,
) -> Option<(K, Arc<Flight<V, R>>)> {
    let current = shard.get(key)?;
    Arc::ptr_eq(current, flight).then(|| shard.remove_entry(key))?
}

debug_name!([K, V, R] Flights<K, V, R>, "Flights");
