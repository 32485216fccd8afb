//! [`Leader`]: the one that computes.

use std::hash::Hash;

use super::flight::{Flight, Successor};
use super::map::{Flights, take};
use super::stay::Stay;
use crate::sync::{Arc, KeptWaker};

/// The one that computes. Dropped without a landing, it hands on to who has waited longest, together with the
/// run that it keeps.
pub(crate) struct Leader<'f, K: Hash + Eq, V, R> {
    flights: &'f Flights<K, V, R>,
    key: K,
    /// `None` once it has landed.
    flight: Option<Arc<Flight<V, R>>>,
    /// A run that has begun.
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

    /// Keeps a run that is under way, for the next leader if this one leaves.
    pub(crate) fn keep_run(&mut self, run: R) {
        self.run = Some(run);
    }

    /// Takes the run that is under way: to poll it, so that one that panics is handed to nobody.
    pub(crate) fn take_run(&mut self) -> Option<R> {
        self.run.take()
    }

    pub(crate) fn has_run(&self) -> bool {
        self.run.is_some()
    }

    /// Tells the latest tick at which one of those who are at it leaves, if each of them has one.
    pub(crate) fn latest(&self) -> impl Fn() -> Option<u64> + use<K, V, R> {
        let flight = self.flight.clone();
        move || flight.as_ref()?.latest()
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

impl<K: Hash + Eq, V, R> Drop for Leader<'_, K, V, R> {
    fn drop(&mut self) {
        if let Some(flight) = self.flight.take() {
            give_up(self.flights, &self.key, &flight, self.run.take(), self.stay);
        }
    }
}

/// Names the next leader; without one, the flight is over.
pub(super) fn give_up<K: Hash + Eq, V, R>(
    flights: &Flights<K, V, R>,
    key: &K,
    flight: &Arc<Flight<V, R>>,
    run: Option<R>,
    stay: Stay,
) {
    // The shard's lock keeps others from joining a flight that has nobody left.
    let mut shard = flights.shard(key).lock();
    let (successor, ended) = flight.name_next(run, stay);
    let (removed, waker) = match successor {
        Successor::Named(waker) => (None, waker),
        Successor::None => (take(&mut shard, key, flight), KeptWaker::NONE),
    };
    drop(shard);
    drop(removed);
    // It ends before another begins.
    drop(ended);
    waker.wake();
}
