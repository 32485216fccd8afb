//! [`Transition`]: what a listener is told.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::word::{State, Word};
use crate::sync::PlainArc;
use crate::sync::drop_caught;

/// A breaker has changed its state.
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

    /// The name of the message whose route the breaker was made for, the first one's if several share
    /// it; empty without a bus.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The state before. The same as after it where a change by hand only cleared what was counted.
    #[must_use]
    pub fn from(&self) -> State {
        self.from
    }

    /// The state after.
    #[must_use]
    pub fn to(&self) -> State {
        self.to
    }

    /// The epoch that begins with it: one more with each change, modulo 2^30. Listeners may be called
    /// out of order by different threads; this tells the order.
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

/// What is to be called after each change of state.
#[derive(Clone)]
pub(in super::super) struct Listener(PlainArc<dyn Fn(&Transition) + Send + Sync>);

impl Listener {
    pub(in super::super) fn new(listener: impl Fn(&Transition) + Send + Sync + 'static) -> Self {
        Self(PlainArc::new(listener))
    }

    /// Tells it from others, as long as it lives.
    pub(in super::super) fn id(&self) -> usize {
        PlainArc::as_ptr(&self.0).addr()
    }

    /// A panic of the listener ends here: the call that changed the state has nothing to do with it.
    #[cold]
    pub(super) fn tell(&self, transition: &Transition) {
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| (self.0)(transition))) {
            drop_caught(|| drop(payload));
        }
    }
}

debug_name!(Listener, "Listener");
