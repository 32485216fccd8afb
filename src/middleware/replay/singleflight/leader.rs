//! [`Leader`]: the dispatch that makes the load.

use std::hash::Hash;

use super::flight::{Flight, Successor};
use super::map::{Flights, take};
use super::stay::Stay;
use crate::sync::{Arc, KeptWaker};

/// The dispatch that makes the load. A leader that drops before its flight has landed hands the flight, and
/// the run that the leader keeps, to the waiter that has waited longest.
pub(crate) struct Leader<'f, K: Hash + Eq, V, R> {
    flights: &'f Flights<K, V, R>,
    key: K,
    /// `None` once the flight has landed.
    flight: Option<Arc<Flight<V, R>>>,
    /// A run that has begun, kept for this leader or the next.
    run: Option<R>,
    stay: Stay,
}

impl<'f, K: Hash + Eq, V, R> Leader<'f, K, V, R> {
    pub(super) fn new(
        flights: &'f Flights<K, V, R>,
        key: K,
        flight: Arc<Flight<V, R>>,
        run: Option<R>,
        stay: Stay,
    ) -> Self {
        Self {
            flights,
            key,
            flight: Some(flight),
            run,
            stay,
        }
    }

    /// Keeps a run that is under way, for the next leader if this leader leaves.
    pub(crate) fn keep_run(&mut self, run: R) {
        self.run = Some(run);
    }

    /// Takes the run that is under way, for the caller to poll. A run that panics while it is taken is
    /// handed to no other leader.
    pub(crate) fn take_run(&mut self) -> Option<R> {
        self.run.take()
    }

    pub(crate) fn has_run(&self) -> bool {
        self.run.is_some()
    }

    /// Returns a function that tells the latest tick at which the leader or a waiter leaves. The function
    /// returns `None` if one of them has no such tick.
    pub(crate) fn latest(&self) -> impl Fn() -> Option<u64> + use<K, V, R> {
        let flight = self.flight.clone();
        move || flight.as_ref()?.latest()
    }

    pub(crate) fn key(&self) -> &K {
        &self.key
    }

    /// Returns the number of the flight, which no other flight has.
    pub(crate) fn number(&self) -> u64 {
        self.flight.as_ref().map_or(u64::MAX, |it| it.number())
    }

    /// Lands the flight. Runs `publish` under the shard's lock, unless the flight was detached, and
    /// returns the result of `publish`. Calls `value` if there are waiters, and gives them the result.
    ///
    /// If either closure panics, the next waiter becomes the leader.
    pub(crate) fn land<T>(
        mut self,
        publish: impl FnOnce(&K) -> T,
        value: impl FnOnce() -> V,
    ) -> Option<T> {
        let flight = self.flight.as_ref().expect("it has not landed");
        // Declared before the guard of the lock, and so dropped after the guard, also when `publish` panics.
        let removed;
        let mut shard = self.flights.shard(&self.key).lock();
        removed = take(&mut shard, &self.key, flight);
        // A closure that is not run stays in `publish`, and so drops after the lock is released.
        let mut publish = Some(publish);
        let taken = removed.as_ref().and_then(|_| publish.take());
        let published = taken.map(|publish| publish(&self.key));
        drop(shard);
        drop(removed);
        // No waiter joins from here on, because the flight is in no map.
        if flight.has_waiters() {
            flight.land(value());
        }
        self.flight = None;
        published
    }
}

impl<K: Hash + Eq, V, R> Drop for Leader<'_, K, V, R> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            give_up(self.flights, &self.key, &flight, self.run.take(), self.stay);
        }
    }
}

/// Names the next leader and wakes its task. Without a waiter, the flight ends and leaves the map.
pub(super) fn give_up<K: Hash + Eq, V, R>(
    flights: &Flights<K, V, R>,
    key: &K,
    flight: &Arc<Flight<V, R>>,
    run: Option<R>,
    stay: Stay,
) {
    // The shard's lock keeps callers from joining a flight that has neither leader nor waiters.
    let mut shard = flights.shard(key).lock();
    let (successor, ended) = flight.name_next(run, stay);
    let (removed, waker) = match successor {
        Successor::Named(waker) => (None, waker),
        Successor::None => (take(&mut shard, key, flight), KeptWaker::NONE),
    };
    drop(shard);
    drop(removed);
    // The ended run drops before the next leader wakes and begins another.
    drop(ended);
    waker.wake();
}
