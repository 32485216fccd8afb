//! [`Waiter`]: one that waits for another's computation.

use std::hash::Hash;
use std::task::{Poll, Waker};

use super::flight::{Flight, Seat, Turn};
use super::leader::{Leader, give_up};
use super::map::Flights;
use super::stay::Stay;
use crate::sync::{Arc, KeptWaker};

/// What a [`Waiter`] waited for.
pub(crate) enum Arrival<'f, K: Hash + Eq, V, R> {
    /// The value.
    Landed(Arc<V>),
    /// The leader has given up: who waited is to lead.
    Leads(Leader<'f, K, V, R>),
}

/// One that waits. Dropped, it leaves its place; if it was to lead, it hands on.
pub(crate) struct Waiter<'f, K: Hash + Eq, V, R> {
    flights: &'f Flights<K, V, R>,
    seat: Seat,
    stay: Stay,
    /// `None` once it has what it waited for.
    waits: Option<(K, Arc<Flight<V, R>>)>,
}

impl<'f, K: Hash + Eq, V, R> Waiter<'f, K, V, R> {
    pub(super) fn new(
        flights: &'f Flights<K, V, R>,
        key: K,
        flight: Arc<Flight<V, R>>,
        seat: Seat,
        stay: Stay,
    ) -> Self {
        Self {
            flights,
            seat,
            stay,
            waits: Some((key, flight)),
        }
    }

    /// That of the flight it waits for: no other has it.
    pub(crate) fn number(&self) -> u64 {
        self.waits.as_ref().map_or(u64::MAX, |it| it.1.number())
    }

    /// Ready when the value has landed, or this one is to lead; not to be asked again then.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Arrival<'f, K, V, R>> {
        // Copied before the lock: that is code of others.
        let mut waker = KeptWaker::of(waker);
        let (_, flight) = self.waits.as_ref().expect("polled after completion");
        match flight.ask(self.seat, &mut waker) {
            Turn::Waits => Poll::Pending,
            Turn::Landed(value) => {
                self.waits = None;
                Poll::Ready(Arrival::Landed(value))
            }
            Turn::Leads(run) => {
                let (key, flight) = self.waits.take().expect("just seen");
                Poll::Ready(Arrival::Leads(Leader::new(
                    self.flights,
                    key,
                    flight,
                    run,
                    self.stay,
                )))
            }
        }
    }
}

impl<K: Hash + Eq, V, R> Drop for Waiter<'_, K, V, R> {
    fn drop(&mut self) {
        if let Some((key, flight)) = self.waits.take()
            && flight.leave(self.seat, self.stay)
        {
            give_up(self.flights, &key, &flight, None, self.stay);
        }
    }
}
