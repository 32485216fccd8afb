//! The two clock readings of one dispatch, taken when first asked for.

use crate::clock::Clock;
use crate::sync::{Ordering, PlainU64};

/// Start and end of a dispatch in ticks of its clock; zero is "not asked yet".
///
/// Relaxed everywhere: a dispatch runs on one thread at a time, and whatever moves it to another
/// synchronises; the atomics only let a `&Context` be sent along. They have no partner, and no model.
#[derive(Debug)]
pub(super) struct Timing {
    start: PlainU64,
    end: PlainU64,
}

impl Timing {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            start: PlainU64::new(0),
            end: PlainU64::new(0),
        }
    }

    #[inline]
    pub(super) fn start(&self, clock: &Clock) -> u64 {
        read_once(&self.start, clock)
    }

    #[inline]
    pub(super) fn end(&self, clock: &Clock) -> u64 {
        read_once(&self.end, clock)
    }

    /// When the dispatch began, or the end of the last wait before the handler.
    #[inline]
    pub(super) fn entry(&self, clock: &Clock) -> u64 {
        match self.end.load(Ordering::Relaxed) {
            0 => self.start(clock),
            waited => waited,
        }
    }

    /// Takes the end of a wait before the handler. Kept where the end of the handler will be: the
    /// handler clears it.
    pub(super) fn waited(&self, clock: &Clock) -> u64 {
        let now = clock.ticks();
        self.end.store(now, Ordering::Relaxed);
        now
    }

    #[inline(always)]
    pub(super) fn clear_end(&self) {
        // Most dispatches ask for no end: a read of it is cheaper than a write.
        if self.end.load(Ordering::Relaxed) != 0 {
            self.end.store(0, Ordering::Relaxed);
        }
    }
}

#[inline]
fn read_once(cell: &PlainU64, clock: &Clock) -> u64 {
    match cell.load(Ordering::Relaxed) {
        0 => {
            let now = clock.ticks();
            cell.store(now, Ordering::Relaxed);
            now
        }
        tick => tick,
    }
}

impl Clone for Timing {
    fn clone(&self) -> Self {
        Self {
            start: PlainU64::new(self.start.load(Ordering::Relaxed)),
            end: PlainU64::new(self.end.load(Ordering::Relaxed)),
        }
    }
}
