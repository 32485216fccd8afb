//! [`Stay`]: the time for which a dispatch stays with a load.

use std::collections::BTreeMap;

use crate::context::Context;

/// The time for which a dispatch stays with a load, and its right to take over a run.
#[derive(Clone, Copy, Default)]
pub(crate) struct Stay {
    /// The tick at which the dispatch leaves, or `None` if its time is unlimited.
    pub(crate) until: Option<u64>,
    /// `true` if the dispatch is inside of a run, which may itself wait for the load.
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

/// The stays of the leader and the waiters of one load.
pub(super) struct Stays {
    endless: usize,
    /// The number of dispatches that leave at each tick.
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
