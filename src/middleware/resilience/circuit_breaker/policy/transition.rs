//! [`Transition`]: a change of state, as reported to a listener.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::word::{State, Word};
use crate::sync::PlainArc;
use crate::sync::drop_caught;

/// A change of the state of a breaker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Transition {
    name: &'static str,
    from: State,
    to: State,
    epoch: u32,
}

impl Transition {
    pub(super) fn new(name: &'static str, from: Word, to: Word) -> Self {
        Self {
            name,
            from: from.state(),
            to: to.state(),
            epoch: to.epoch(),
        }
    }

    /// Returns the name of the message for whose route the breaker was created. Returns the name of the first
    /// message if several share the breaker, and an empty name without a bus.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the state before the change. Equals the state after it if a change by hand only cleared the
    /// counts.
    #[must_use]
    pub fn from(&self) -> State {
        self.from
    }

    /// Returns the state after the change.
    #[must_use]
    pub fn to(&self) -> State {
        self.to
    }

    /// Returns the epoch that begins with the change. The epoch grows by one with each change, modulo 2^30.
    /// Different threads may call listeners out of order, and the epoch tells the order.
    #[must_use]
    pub fn epoch(&self) -> u32 {
        self.epoch
    }
}

impl fmt::Display for Transition {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {:?} to {:?}", self.name, self.from, self.to)
    }
}

/// The user function that is called after each change of state.
#[derive(Clone)]
pub(in super::super) struct Listener(PlainArc<dyn Fn(&Transition) + Send + Sync>);

impl Listener {
    pub(in super::super) fn new(listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        Self(PlainArc::new(listener))
    }

    /// Returns an id that is unique among listeners as long as this one lives.
    pub(in super::super) fn id(&self) -> usize {
        PlainArc::as_ptr(&self.0).addr()
    }

    /// Calls the listener, and catches its panic, because the call that changed the state must not fail for
    /// it.
    #[cold]
    pub(super) fn tell(&self, transition: &Transition) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.0)(transition))) {
            drop_caught(|| drop(payload));
        }
    }
}

debug_name!(Listener, "Listener");
