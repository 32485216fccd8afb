//! [`Moment`]: the tick at which the breaker opened, went half-open, or last got a probe back from a hasty
//! caller.

use crate::sync::{AtomicU64, Ordering};

/// The latest of the recorded ticks, or the current time if the clock was set back behind that tick.
///
/// The moment is raised before the change of state to which it belongs. A thread that raises the moment, and
/// then finds that another thread has changed the state, has read its clock before that change. So the moment
/// is never later than the change.
///
/// Relaxed: the change of state that follows is a Release, and its load an Acquire. Model: `circuit_breaker`.
#[derive(Debug, Default)]
pub(super) struct Moment(AtomicU64);

impl Moment {
    pub(super) fn raise(&self, tick: u64) {
        self.0.fetch_max(tick, Ordering::Relaxed);
    }

    /// Returns a time that is not before the moment: `tick` if possible, and otherwise the result of `now`,
    /// because `tick` may have been read long ago. If that result is before the moment, too, the clock was
    /// set back, and the moment becomes the current time.
    pub(super) fn present(&self, tick: u64, now: &dyn Fn() -> u64) -> u64 {
        let moment = self.0.load(Ordering::Relaxed);
        if tick >= moment {
            return tick;
        }
        let now = now();
        if now < moment {
            // Leave a moment that another thread has raised in the meantime.
            let relaxed = Ordering::Relaxed;
            let _ = self.0.compare_exchange(moment, now, relaxed, relaxed);
        }
        now
    }

    /// Returns the part of `interval` that is left at `now`, or zero when the interval is over.
    pub(super) fn left(&self, interval: u64, now: u64) -> u64 {
        let end = self.0.load(Ordering::Relaxed).saturating_add(interval);
        end.saturating_sub(now)
    }
}
