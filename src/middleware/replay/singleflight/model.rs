//! [`Airport`]: the flights themselves, for the models.

use std::fmt;
use std::task::{Poll, Waker};

use super::{Arrival, Flights, Joined, Leader, Stay, Waiter};

/// Flights of numbered keys.
pub struct Airport<V>(Flights<u64, V, V>);

/// What became of a request for a key.
pub enum Boarding<'f, V> {
    /// It is to compute.
    Leads(Lead<'f, V>),
    /// Somebody does.
    Waits(Wait<'f, V>),
}

/// The one that computes.
pub struct Lead<'f, V>(Leader<'f, u64, V, V>);

/// One that waits.
pub struct Wait<'f, V>(Waiter<'f, u64, V, V>);

/// What one has waited for.
pub enum Waited<'f, V> {
    /// The value.
    Landed(loom::sync::Arc<V>),
    /// It is to compute.
    Leads(Lead<'f, V>),
}

impl<V> Airport<V> {
    /// Without a flight.
    #[must_use]
    pub fn new() -> Self {
        Self(Flights::new(usize::MAX))
    }

    /// Joins the flight of `key` or begins one, unless `landed` finds what has landed.
    ///
    /// # Errors
    ///
    /// What it finds.
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

    /// Lets whoever asks from now on begin anew.
    pub fn detach(&self, key: u64, then: impl FnOnce()) {
        self.0.detach(&key, then);
    }

    /// The same for all keys.
    pub fn detach_all(&self) {
        self.0.detach_all();
    }

    /// How many keys are in the air.
    #[must_use]
    pub fn in_the_air(&self) -> usize {
        self.0.keys().len()
    }
}

impl<V> Lead<'_, V> {
    /// Keeps a run for the next leader.
    pub fn keep_run(&mut self, run: V) {
        self.0.keep_run(run);
    }

    /// Takes the run that the former leader kept.
    pub fn take_run(&mut self) -> Option<V> {
        self.0.take_run()
    }

    /// Lands; says whether it was published.
    #[must_use]
    pub fn land(self, publish: impl FnOnce(), value: impl FnOnce() -> V) -> bool {
        self.0.land(|_| publish(), value).is_some()
    }
}

impl<'f, V> Wait<'f, V> {
    /// Ready when there is something for it.
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
