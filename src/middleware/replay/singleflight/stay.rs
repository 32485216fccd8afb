//! [`Stay`]: how long a dispatch stays with a computation.

use std::collections::BTreeMap;

use crate::context::Context;

/// How long a dispatch stays with a computation, and whether it may take one over.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stay {
    /// The tick at which it leaves, if it has one.
    pub(crate) until: Option<u64>,
    /// Whether it is inside of a run: that run may wait for the computation.
    pub(crate) is_nested: bool,
}

impl Stay {
    pub(crate) fn of(cx: &Context<'_>, is_nested: bool) -> Self {
        Self {
            until: cx.last_tick(),
            is_nested,
        }
    }
}

/// The stays of all who are at one computation.
pub(super) struct Stays {
    endless: usize,
    /// How many leave at each tick.
    ticks: BTreeMap<u64, usize>,
}

impl Stays {
    pub(super) fn of(first: Stay) -> Self {
        let mut stays = Self {
            endless: 0,
            ticks: BTreeMap::new(),
        };
        stays.add(first);
        stays
    }

    pub(super) fn add(&mut self, stay: Stay) {
        match stay.until {
            None => self.endless += 1,
            Some(tick) => *self.ticks.entry(tick).or_default() += 1,
        }
    }

    pub(super) fn remove(&mut self, stay: Stay) {
        let Some(tick) = stay.until else {
            self.endless -= 1;
            return;
        };
        let left = self.ticks.get_mut(&tick).expect("it was added");
        *left -= 1;
        if *left == 0 {
            self.ticks.remove(&tick);
        }
    }

    pub(super) fn latest(&self) -> Option<u64> {
        match self.endless {
            0 => self.ticks.last_key_value().map(|(tick, _)| *tick),
            _ => None,
        }
    }
}
