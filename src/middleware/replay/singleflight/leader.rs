//! [`Leader`]: the one that computes.

use std::hash::Hash;

use super::flight::{Flight, Successor};
use super::map::{Flights, take};
use crate::sync::{Arc, KeptWaker};

/// The one that computes. Dropped without a landing, it hands on to who has waited longest.
pub(crate) struct Leader<'f, K: Hash + Eq, V> {
    flights: &'f Flights<K, V>,
    key: K,
    /// `None` once it has landed.
    flight: Option<Arc<Flight<V>>>,
}

impl<'f, K: Hash + Eq, V> Leader<'f, K, V> {
    pub(super) fn new(flights: &'f Flights<K, V>, key: K, flight: Arc<Flight<V>>) -> Self {
        Self {
            flights,
            key,
            flight: Some(flight),
        }
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    /// That of its flight: no other has it.
    pub(crate) fn number(&self) -> u64 {
        self.flight.as_ref().map_or(u64::MAX, |it| it.number())
    }

    /// Lands: `publish` runs under the shard's lock unless the flight was detached, and those who wait
    /// get what `value` makes, which is not asked where nobody waits. Returns what `publish` did.
    ///
    /// If either panics, the next who waits is to lead.
    pub(crate) fn land<T>(
        mut self,
        publish: impl FnOnce(&K) -> T,
        value: impl FnOnce() -> V,
    ) -> Option<T> {
        let flight = self.flight.as_ref().expect("it has not landed");
        // Declared before the lock is taken, and so dropped after it, also when `publish` panics.
        let removed;
        let mut shard = self.flights.shard(&self.key).lock();
        removed = take(&mut shard, &self.key, flight);
        // Not taken where nothing is published, and then dropped when the lock is open again.
        let mut publish = Some(publish);
        let taken = removed.as_ref().and_then(|_| publish.take());
        let published = taken.map(|publish| publish(&self.key));
        drop(shard);
        drop(removed);
        // Nobody joins any more: the flight is in no map.
        if flight.has_waiters() {
            flight.land(value());
        }
        self.flight = None;
        published
    }
}

impl<K: Hash + Eq, V> Drop for Leader<'_, K, V> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            give_up(self.flights, &self.key, &flight);
        }
    }
}

/// Names the next leader; without one, the flight is over.
pub(super) fn give_up<K: Hash + Eq, V>(flights: &Flights<K, V>, key: &K, flight: &Arc<Flight<V>>) {
    // The shard's lock keeps others from joining a flight that has nobody left.
    let mut shard = flights.shard(key).lock();
    let (removed, waker) = match flight.name_next() {
        Successor::Named(waker) => (None, waker),
        Successor::None => (take(&mut shard, key, flight), KeptWaker::NONE),
    };
    drop(shard);
    drop(removed);
    waker.wake();
}
