//! [`HedgeCounts`]: the counters of a route's hedges.

use crate::sync::{AtomicU64, Ordering};

/// The counters of a route's hedges, returned by [`HedgePolicy::counts`](super::HedgePolicy::counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HedgeCounts {
    /// Hedges that were started.
    pub fired: u64,
    /// Hedges that gave the outcome. If few of the started hedges win, the delay is too short, or the backend
    /// is slow for all attempts.
    pub won: u64,
    /// Hedges that were not started because the budget was exhausted.
    pub exhausted: u64,
}

/// Relaxed: counters that publish nothing else. They have no partner, and no model.
pub(super) struct Counts {
    fired: AtomicU64,
    won: AtomicU64,
    exhausted: AtomicU64,
}

impl Counts {
    pub(super) fn new() -> Self {
        let zero = || AtomicU64::new(0);
        Self {
            fired: zero(),
            won: zero(),
            exhausted: zero(),
        }
    }

    pub(super) fn count(&self, granted: bool) {
        let counter = match granted {
            true => &self.fired,
            false => &self.exhausted,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn won(&self) {
        self.won.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> HedgeCounts {
        HedgeCounts {
            won: self.won.load(Ordering::Relaxed),
            fired: self.fired.load(Ordering::Relaxed),
            exhausted: self.exhausted.load(Ordering::Relaxed),
        }
    }
}
