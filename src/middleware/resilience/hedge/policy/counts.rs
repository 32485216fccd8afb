//! What has come of hedging.

use crate::sync::{AtomicU64, Ordering};

/// What has come of a route's hedges: got from [`HedgePolicy::counts`](super::HedgePolicy::counts).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct HedgeCounts {
    /// Hedges that were begun.
    pub fired: u64,
    /// Of those, how many gave the outcome. Few of many: the delay is too short, or what is slow is slow
    /// for all.
    pub won: u64,
    /// Hedges for which the budget had nothing left.
    pub exhausted: u64,
}

/// Relaxed: tallies. They have no partner, and no model.
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
