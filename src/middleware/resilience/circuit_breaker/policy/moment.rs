//! [`Moment`]: when the breaker opened, or went half-open or got a probe back from a hasty caller.

use crate::sync::{AtomicU64, Ordering};

/// The latest of the ticks it was given; or the time, where the clock was set back behind that.
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

    /// A time that is not before the moment: `tick`, or else what `now` says, where `tick` may have been
    /// read long ago. Where that is before it, too, the clock was set back, and the moment is now.
    pub(super) fn present(&self, tick: u64, now: &dyn Fn() -> u64) -> u64 {
        let moment = self.0.load(Ordering::Relaxed);
        if tick >= moment {
            return tick;
        }
        let now = now();
        if now < moment {
            // Not over one that was raised meanwhile.
            let relaxed = Ordering::Relaxed;
            let _ = self.0.compare_exchange(moment, now, relaxed, relaxed);
        }
        now
    }

    /// How much of `interval` is left at `now`: zero when it is over.
    pub(super) fn left(&self, interval: u64, now: u64) -> u64 {
        let end = self.0.load(Ordering::Relaxed).saturating_add(interval);
        end.saturating_sub(now)
    }
}
