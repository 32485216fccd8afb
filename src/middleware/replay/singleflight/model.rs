//! [`Airport`]: the real flights, made public for the models.

use std::fmt;
use std::task::{Poll, Waker};

use super::{Arrival, Flights, Joined, Leader, Stay, Waiter};

/// The flights of all keys, where a key is a number.
pub struct Airport<V>(Flights<u64, V, V>);

/// The outcome of joining the flight of a key.
pub enum Boarding<'f, V> {
    /// The caller is to make the load.
    Leads(Lead<'f, V>),
    /// Another caller makes the load.
    Waits(Wait<'f, V>),
}

/// The leader of a flight, which makes the load.
pub struct Lead<'f, V>(Leader<'f, u64, V, V>);

/// A waiter of a flight, which waits for the value of the load.
pub struct Wait<'f, V>(Waiter<'f, u64, V, V>);

/// The end of the wait of a waiter.
pub enum Waited<'f, V> {
    /// The value has landed.
    Landed(loom::sync::Arc<V>),
    /// The waiter is to make the load.
    Leads(Lead<'f, V>),
}

impl<V> Airport<V> {
    /// Creates an airport without flights.
    #[must_use]
    pub fn new() -> Self {
        Self(Flights::new(usize::MAX))
    }

    /// Joins the flight of `key` or begins one, unless `landed` finds a value that has landed.
    ///
    /// # Errors
    ///
    /// Returns the value that `landed` finds.
    pub fn join<T>(
        &self,
        key: u64,
        landed: impl FnOnce() -> Option<T>,
    ) -> Result<Boarding<'_, V>, T> {
        self.0
            .join(&key, Stay::default(), landed)
            .map(|joined| match joined {
                Joined::Leader(leader) => Boarding::Leads(Lead(leader)),
                Joined::Waiter(waiter) => Boarding::Waits(Wait(waiter)),
                Joined::Full(_) => unreachable!("as many wait as like"),
            })
    }

    /// Detaches the flight of `key`, so that later callers begin a new one. Runs `then` under the lock.
    pub fn detach(&self, key: u64, then: impl FnOnce()) {
        self.0.detach(&key, then);
    }

    /// Detaches the flights of all keys, so that later callers begin new ones.
    pub fn detach_all(&self) {
        self.0.detach_all();
    }

    /// Returns the number of keys that have a flight in the air.
    #[must_use]
    pub fn in_the_air(&self) -> usize {
        self.0.keys().len()
    }
}

impl<V> Lead<'_, V> {
    /// Keeps a run for the next leader, if this leader leaves.
    pub fn keep_run(&mut self, run: V) {
        self.0.keep_run(run);
    }

    /// Takes the run that the former leader kept.
    pub fn take_run(&mut self) -> Option<V> {
        self.0.take_run()
    }

    /// Lands the flight. Returns whether `publish` ran, which is not so for a detached flight.
    #[must_use]
    pub fn land(self, publish: impl FnOnce(), value: impl FnOnce() -> V) -> bool {
        self.0.land(|_| publish(), value).is_some()
    }
}

impl<'f, V> Wait<'f, V> {
    /// Polls for the value, or for the turn of this waiter to lead.
    pub fn poll(&mut self, waker: &Waker) -> Poll<Waited<'f, V>> {
        self.0.poll(waker).map(|arrival| match arrival {
            Arrival::Landed(value) => Waited::Landed(value),
            Arrival::Leads(leader) => Waited::Leads(Lead(leader)),
        })
    }
}

impl<V> Default for Airport<V> {
    fn default() -> Self {
        Self::new()
    }
}

debug_name!([V] Boarding<'_, V>, "Boarding");
debug_name!([V] Lead<'_, V>, "Lead");
debug_name!([V] Wait<'_, V>, "Wait");
debug_name!([V] Waited<'_, V>, "Waited");

impl<V> fmt::Debug for Airport<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
