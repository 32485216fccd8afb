//! [`Moment`]: when the breaker opened, or went half-open.

use crate::sync::{AtomicU64, Ordering};

/// The latest of the ticks it was given; and where a clock that was set back behind that stood first.
///
/// Raised before the change of state that it belongs to. Who raises it and then finds the state changed
/// by another has read its clock before that change: so the moment is never later than that.
///
/// Relaxed: the change of state that follows is a Release, and its load an Acquire. Model:
/// `circuit_breaker`.
#[derive(Debug)]
pub(super) struct Moment {
    latest: AtomicU64,
    /// [`NEVER`] while no earlier tick has been seen. Counted from only by those who bring one: a thread that
    /// was held up after it has read the clock shortens nothing for the others.
    set_back: AtomicU64,
}

const NEVER: u64 = u64::MAX;

impl Default for Moment {
    fn default() -> Self {
        Self {
            latest: AtomicU64::new(0),
            set_back: AtomicU64::new(NEVER),
        }
    }
}

impl Moment {
    pub(super) fn raise(&self, tick: u64) {
        let latest = self.latest.fetch_max(tick, Ordering::Relaxed);
        let set_back = if tick < latest { tick } else { NEVER };
        self.set_back.store(set_back, Ordering::Relaxed);
    }

    /// How much of `interval` is left at `now`: zero when it is over, and never more than all of it.
    pub(super) fn left(&self, interval: u64, now: u64) -> u64 {
        let latest = self.latest.load(Ordering::Relaxed);
        if now < latest {
            self.left_since_set_back(interval, now)
        } else {
            latest.saturating_add(interval).saturating_sub(now)
        }
    }

    /// When it is over by the time of a clock that was set back, that time is the moment for all.
    #[cold]
    fn left_since_set_back(&self, interval: u64, now: u64) -> u64 {
        let since = self.set_back.load(Ordering::Relaxed).min(now);
        let left = since.saturating_add(interval).saturating_sub(now);
        if left == 0 {
            self.latest.store(since, Ordering::Relaxed);
        }
        self.set_back.store(since, Ordering::Relaxed);
        left
    }
}
