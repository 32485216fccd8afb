//! [`Moment`]: when the breaker opened, or went half-open or got a probe back from a hasty caller.

use crate::sync::{AtomicU64, Ordering};

/// The latest of the ticks it was given.
///
/// Raised before the change of state that it belongs to. Who raises it and then finds the state changed
/// by another has read its clock before that change: so the moment is never later than that.
///
/// Relaxed: the change of state that follows is a Release, and its load an Acquire. Model:
/// `circuit_breaker`.
#[derive(Debug, Default)]
pub(super) struct Moment(AtomicU64);

impl Moment {
    pub(super) fn raise(&self, tick: u64) {
        self.0.fetch_max(tick, Ordering::Relaxed);
    }

    /// How much of `interval` is left at `now`: zero when it is over.
    pub(super) fn left(&self, interval: u64, now: u64) -> u64 {
        let end = self.0.load(Ordering::Relaxed).saturating_add(interval);
        end.saturating_sub(now)
    }
}
