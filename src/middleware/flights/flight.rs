//! [`Flight`]: one computation, its leader, and those who wait.

use std::collections::VecDeque;
use std::hash::Hash;
use std::task::{Poll, Waker};

use super::flights::{Flights, Shard};
use crate::sync::{Arc, Mutex};
use crate::unwind::wake_caught;

/// A computation that one dispatch makes and others wait for.
pub(super) struct Flight<V> {
    state: Mutex<State<V>>,
}

enum State<V> {
    /// Its leader is at it, or the next one has been named.
    InTheAir(Queue),
    /// Shared, so that nobody copies a value under the lock.
    Landed(Arc<V>),
}

/// Those who wait, first come first.
#[derive(Default)]
struct Queue {
    next: u64,
    waiting: VecDeque<(u64, Option<Waker>)>,
    /// Who is to lead, now that the leader has given up.
    named: Option<u64>,
}

impl Queue {
    fn join(&mut self) -> u64 {
        let place = self.next;
        self.next += 1;
        self.waiting.push_back((place, None));
        place
    }

    /// Names the one who has waited longest.
    fn name_next(&mut self) -> Option<Waker> {
        let (place, waker) = self.waiting.pop_front()?;
        self.named = Some(place);
        waker
    }
}

impl<V> Flight<V> {
    pub(super) fn new() -> Self {
        Self {
            state: Mutex::new(State::InTheAir(Queue::default())),
        }
    }
}

/// What a [`Waiter`] waited for.
pub(crate) enum Arrival<'f, K: Hash + Eq, V> {
    /// The value.
    Landed(Arc<V>),
    /// The leader has given up: who waited is to lead.
    Leads(Leader<'f, K, V>),
}

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

    /// Lands: `publish` runs under the shard's lock unless the flight was detached, and those who wait
    /// get what `value` makes, which is not asked where nobody waits. Returns what `publish` did.
    pub(crate) fn land<T>(
        mut self,
        publish: impl FnOnce(&K) -> T,
        value: impl FnOnce() -> V,
    ) -> Option<T> {
        let flight = self.flight.take().expect("it has not landed");
        let published = {
            let mut shard = self.flights.shard(&self.key).lock();
            let removed = take(&mut shard, &self.key, &flight);
            let published = removed.is_some().then(|| publish(&self.key));
            drop(shard);
            drop(removed);
            published
        };
        // Nobody joins any more: the flight is in no map.
        if flight.has_waiters() {
            flight.land(Arc::new(value()));
        }
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

/// Takes `flight` out of the map, if it is there.
fn take<K: Hash + Eq, V>(
    shard: &mut Shard<K, V>,
    key: &K,
    flight: &Arc<Flight<V>>,
) -> Option<(K, Arc<Flight<V>>)> {
    let current = shard.get(key)?;
    Arc::ptr_eq(current, flight).then(|| shard.remove_entry(key))?
}

/// Names the next leader; without one, the flight is over.
fn give_up<K: Hash + Eq, V>(flights: &Flights<K, V>, key: &K, flight: &Arc<Flight<V>>) {
    // The shard's lock keeps others from joining a flight that has nobody left.
    let mut shard = flights.shard(key).lock();
    let (removed, waker) = match &mut *flight.state.lock() {
        State::InTheAir(queue) if queue.waiting.is_empty() => {
            queue.named = None;
            (take(&mut shard, key, flight), None)
        }
        State::InTheAir(queue) => (None, queue.name_next()),
        State::Landed(_) => (None, None),
    };
    drop(shard);
    drop(removed);
    waker.into_iter().for_each(wake_caught);
}

impl<V> Flight<V> {
    fn has_waiters(&self) -> bool {
        match &*self.state.lock() {
            State::InTheAir(queue) => !queue.waiting.is_empty(),
            State::Landed(_) => false,
        }
    }

    fn land(&self, value: Arc<V>) {
        let before = std::mem::replace(&mut *self.state.lock(), State::Landed(value));
        if let State::InTheAir(queue) = before {
            let wakers = queue.waiting.into_iter().filter_map(|(_, waker)| waker);
            wakers.for_each(wake_caught);
        }
    }
}

/// One that waits. Dropped, it leaves its place; if it was to lead, it hands on.
pub(crate) struct Waiter<'f, K: Hash + Eq, V> {
    flights: &'f Flights<K, V>,
    place: u64,
    /// `None` once it has what it waited for.
    waits: Option<(K, Arc<Flight<V>>)>,
}

impl<'f, K: Hash + Eq, V> Waiter<'f, K, V> {
    /// Called under the lock of the key's shard.
    pub(super) fn new(flights: &'f Flights<K, V>, key: K, flight: Arc<Flight<V>>) -> Self {
        let place = match &mut *flight.state.lock() {
            State::InTheAir(queue) => queue.join(),
            State::Landed(_) => unreachable!("what has landed is in no map"),
        };
        Self {
            flights,
            place,
            waits: Some((key, flight)),
        }
    }

    /// Ready when the value has landed, or this one is to lead; not to be asked again then.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Arrival<'f, K, V>> {
        let (key, flight) = self.waits.take().expect("polled after completion");
        let landed = match &mut *flight.state.lock() {
            State::Landed(value) => Some(Arc::clone(value)),
            State::InTheAir(queue) if queue.named == Some(self.place) => {
                queue.named = None;
                None
            }
            State::InTheAir(queue) => {
                let waiting = &mut queue.waiting;
                let at = waiting.binary_search_by_key(&self.place, |(place, _)| *place);
                let (_, place) = &mut waiting[at.expect("it waits or is named")];
                match place {
                    Some(known) => known.clone_from(waker),
                    None => *place = Some(waker.clone()),
                }
                self.waits = Some((key, Arc::clone(&flight)));
                return Poll::Pending;
            }
        };
        Poll::Ready(match landed {
            Some(value) => Arrival::Landed(value),
            None => Arrival::Leads(Leader::new(self.flights, key, flight)),
        })
    }
}

impl<K: Hash + Eq, V> Drop for Waiter<'_, K, V> {
    fn drop(&mut self) {
        let Some((key, flight)) = self.waits.take() else {
            return;
        };
        let was_named = match &mut *flight.state.lock() {
            State::InTheAir(queue) => {
                queue.waiting.retain(|(place, _)| *place != self.place);
                queue.named == Some(self.place)
            }
            State::Landed(_) => false,
        };
        if was_named {
            give_up(self.flights, &key, &flight);
        }
    }
}
