//! [`Tie`]: the bond between buses that share state and one clock.

use std::panic::{RefUnwindSafe, UnwindSafe};

use super::RouteInfo;
use crate::clock::Clock;
use crate::message::MessageType;
use crate::sync::{Mutex, PlainArc};

/// Ties the buses that share state to one clock. The state keeps moments of that clock, which have no meaning
/// on another clock. The first bus that is built decides the clock, for as long as the state lives.
#[derive(Clone, Default)]
pub(crate) struct Tie(PlainArc<Mutex<Option<Held>>>);

struct Held {
    clock: Clock,
    /// The number of routes that hold the tie.
    times: usize,
}

impl Tie {
    /// Returns whether no bus has been built with the state.
    pub(super) fn is_free(&self) -> bool {
        self.0.lock().is_none()
    }

    fn clock(&self) -> Option<Clock> {
        self.0.lock().as_ref().map(|held| held.clock.clone())
    }

    /// Ties one more route to `clock`, or returns `false` if other routes are tied to another clock.
    fn hold(&self, clock: &Clock) -> bool {
        let mut held = self.0.lock();
        let held = held.get_or_insert_with(|| Held {
            clock: clock.clone(),
            times: 0,
        });
        let same = held.clock.is_same(clock);
        held.times += usize::from(same);
        same
    }

    fn release(&self) {
        let mut held = self.0.lock();
        let last = held.take_if(|held| {
            held.times -= 1;
            held.times == 0
        });
        drop(held);
        // The last reference to a fake clock drops wakers, which are user code.
        drop(last);
    }
}

/// No code under the lock panics, so the state is consistent after any unwinding.
impl UnwindSafe for Tie {}
impl RefUnwindSafe for Tie {}

/// The ties of a layer, equal to any others because ties say nothing about the layer's behaviour.
#[derive(Clone, Debug, Default)]
pub(crate) struct LayerTies(Vec<Tie>);

impl LayerTies {
    pub(super) fn push(&mut self, tie: Tie) {
        self.0.push(tie);
    }
}

impl PartialEq for LayerTies {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for LayerTies {}

debug_name!(Tie, "Tie");

/// The ties of routes that are registered together.
#[derive(Debug, Default)]
pub(crate) struct Ties(Vec<Tied>);

/// A layer of a route that is tied to a clock.
#[derive(Debug)]
pub(crate) struct Tied {
    pub(crate) message: MessageType,
    pub(crate) layer: &'static str,
    tie: Tie,
}

impl Ties {
    /// Adds the ties of one more route.
    #[inline]
    pub(crate) fn add(&mut self, route: &RouteInfo) {
        if !route.layers().is_empty() {
            self.0.extend(tied(route));
        }
    }

    /// Returns the clock to which a tie is already bound.
    pub(crate) fn clock(&self) -> Option<Clock> {
        self.0.iter().find_map(|tied| tied.tie.clock())
    }

    /// Ties all routes to `clock`, or none.
    ///
    /// # Errors
    ///
    /// Returns the first layer that is tied to another clock.
    pub(crate) fn hold(&self, clock: &Clock) -> Result<(), &Tied> {
        for (index, tied) in self.0.iter().enumerate() {
            if !tied.tie.hold(clock) {
                self.0[..index].iter().for_each(|held| held.tie.release());
                return Err(tied);
            }
        }
        Ok(())
    }

    /// Takes back a successful [`hold`](Self::hold).
    pub(crate) fn release(&self) {
        self.0.iter().for_each(|tied| tied.tie.release());
    }
}

fn tied(route: &RouteInfo) -> impl Iterator<Item = Tied> {
    route.stack().iter().flat_map(|layer| {
        layer.facts().ties.0.iter().map(|tie| Tied {
            message: route.message(),
            layer: layer.name(),
            tie: tie.clone(),
        })
    })
}
