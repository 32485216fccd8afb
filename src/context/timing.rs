//! Two clock readings of one dispatch, taken when first needed.

use crate::sync::{Ordering, PlainU64};

/// Start and end of a dispatch in ticks of its clock. Zero means "not read yet".
///
/// Relaxed everywhere: a dispatch runs on one thread at a time, and a move to another thread
/// synchronises. The atomics only make `&Context` sendable. They have no partner, and no model.
#[derive(Debug)]
pub(super) struct Timing {
    start: PlainU64,
    /// The start, or the end of the last wait before the handler.
    entry: PlainU64,
    end: PlainU64,
}

impl Timing {
    #[inline]
    pub(super) const fn new() -> Self {
        Self {
            start: PlainU64::new(0),
            entry: PlainU64::new(0),
            end: PlainU64::new(0),
        }
    }

    #[inline(always)]
    pub(super) fn start(&self, now: impl Fn() -> u64) -> u64 {
        self.entry(now);
        self.start.load(Ordering::Relaxed)
    }

    #[inline(always)]
    pub(super) fn entry(&self, now: impl Fn() -> u64) -> u64 {
        read_once(&self.entry, || {
            let now = now();
            self.start.store(now, Ordering::Relaxed);
            now
        })
    }

    #[inline(always)]
    pub(super) fn end(&self, now: impl Fn() -> u64) -> u64 {
        read_once(&self.end, now)
    }

    /// Records the end of a wait before the handler.
    pub(super) fn waited(&self, now: impl Fn() -> u64) -> u64 {
        let now = now();
        self.entry.store(now, Ordering::Relaxed);
        if self.start.load(Ordering::Relaxed) == 0 {
            self.start.store(now, Ordering::Relaxed);
        }
        now
    }

    /// Takes over the end time of `inner`, if it has one yet.
    pub(super) fn end_as(&self, inner: &Self) {
        let end = inner.end.load(Ordering::Relaxed);
        self.end.store(end, Ordering::Relaxed);
    }

    #[inline(always)]
    pub(super) fn clear_end(&self) {
        // Most dispatches never read their end, and a read here is cheaper than a write.
        if self.end.load(Ordering::Relaxed) != 0 {
            self.end.store(0, Ordering::Relaxed);
        }
    }
}

#[inline(always)]
fn read_once(cell: &PlainU64, now: impl Fn() -> u64) -> u64 {
    match cell.load(Ordering::Relaxed) {
        0 => {
            let now = now();
            cell.store(now, Ordering::Relaxed);
            now
        }
        tick => tick,
    }
}

impl Clone for Timing {
    fn clone(&self) -> Self {
        let copy = |cell: &PlainU64| PlainU64::new(cell.load(Ordering::Relaxed));
        Self {
            start: copy(&self.start),
            entry: copy(&self.entry),
            end: copy(&self.end),
        }
    }
}
