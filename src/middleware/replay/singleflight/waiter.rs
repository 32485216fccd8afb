//! [`Waiter`]: a dispatch that waits for the load of another dispatch.

use std::hash::Hash;
use std::task::{Poll, Waker};

use super::flight::{Flight, Seat, Turn};
use super::leader::{Leader, give_up};
use super::map::Flights;
use super::stay::Stay;
use crate::sync::{Arc, KeptWaker};

/// The end of the wait of a [`Waiter`].
pub(crate) enum Arrival<'f, K: Hash + Eq, V, R> {
    /// The value has landed.
    Landed(Arc<V>),
    /// The leader has given up, and the waiter leads in its place.
    Leads(Leader<'f, K, V, R>),
}

/// A dispatch that waits for the load of another dispatch. A waiter that drops gives up its place. A waiter
/// that was named leader and drops hands the lead to the next waiter.
pub(crate) struct Waiter<'f, K: Hash + Eq, V, R> {
    flights: &'f Flights<K, V, R>,
    seat: Seat,
    stay: Stay,
    /// `None` once the wait has ended.
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

    /// Returns the number of the flight that is waited for, which no other flight has.
    pub(crate) fn number(&self) -> u64 {
        self.waits.as_ref().map_or(u64::MAX, |it| it.1.number())
    }

    /// Polls for the value, or for the turn of this waiter to lead.
    ///
    /// # Panics
    ///
    /// If polled again after the wait has ended.
    pub(crate) fn poll(&mut self, waker: &Waker) -> Poll<Arrival<'f, K, V, R>> {
        // Copied before the lock is taken, because the copying of a waker is user code.
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
