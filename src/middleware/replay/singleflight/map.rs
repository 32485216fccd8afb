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

/// Locks over which the keys are spread. A model needs no second one.
const SHARDS: usize = if cfg!(arcbus_loom) { 1 } else { 32 };

/// The flights of all keys that are in the air.
///
/// A shard's lock orders three things of a key: who joins its flight, its landing, and its
/// [`detach`](Flights::detach)ment. It is taken before a flight's own. Under it run a key's `Hash` and
/// `Eq` and what the closures say, and no other user code. A copy of a key may be made and dropped there as
/// well: a key of a user's is a shared one.
pub(crate) struct Flights<K, V, R> {
    shards: Box<[Mutex<Shard<K, V, R>>]>,
    hasher: RandomState,
    /// How many may wait for one flight.
    max_waiters: usize,
}

pub(super) type Shard<K, V, R> = HashMap<K, Arc<Flight<V, R>>, RandomState>;

/// What became of a request for a key.
pub(crate) enum Joined<'f, K: Hash + Eq, V, R> {
    /// Nobody is at it: who asked is to compute it.
    Leader(Leader<'f, K, V, R>),
    /// Somebody is.
    Waiter(Waiter<'f, K, V, R>),
    /// Somebody is, and as many wait as may. With the number of the flight.
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

    /// Joins the flight of `key`, or begins one. `landed` is asked under the lock where none is in the
    /// air: what it finds landed meanwhile.
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
        // Made outside the lock: copying a key is code of others.
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
        // Nothing was under the key, so nothing is dropped here.
        shard.insert(kept, Arc::clone(&flight));
        Ok(Joined::Leader(Leader::new(self, owned, flight, None, stay)))
    }

    /// Lets whoever asks for `key` from now on begin anew: a flight in the air lands for those who wait
    /// for it already, and nowhere else. Runs `then` before anybody can join or land.
    pub(crate) fn detach<Q, T>(&self, key: &Q, then: impl FnOnce() -> T) -> T
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        // Declared before the lock is taken, and so dropped after it, also when `then` panics.
        let removed;
        let mut shard = self.shard(key).lock();
        removed = shard.remove_entry(key);
        let then = then();
        drop(shard);
        drop(removed);
        then
    }

    /// [`detach`](Flights::detach)es every key.
    pub(crate) fn detach_all(&self) {
        for shard in &self.shards {
            let removed: Vec<_> = shard.lock().drain().collect();
            drop(removed);
        }
    }

    /// The keys of all flights in the air: of one that has landed before this is called, what it published
    /// is there.
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

/// Takes `flight` out of the map, if it is there.
pub(super) fn take<K: Hash + Eq, V, R>(
    shard: &mut Shard<K, V, R>,
    key: &K,
    flight: &Arc<Flight<V, R>>,
) -> Option<(K, Arc<Flight<V, R>>)> {
    let current = shard.get(key)?;
    Arc::ptr_eq(current, flight).then(|| shard.remove_entry(key))?
}

debug_name!([K, V, R] Flights<K, V, R>, "Flights");
