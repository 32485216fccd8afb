//! [`Recorder`]: what is recorded of one route.

use super::cells::Cells;
use super::failure::FailureKind;
use super::histogram::BUCKETS;
use crate::context::Source;
use crate::sync::{OnceLock, SLOTS, thread_slot};

/// The cells of every thread, by its slot; in the last place those that threads without one share.
pub(crate) struct Recorder {
    cells: [OnceLock<Box<Cells>>; SLOTS + 1],
}

/// The totals of a route.
#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(super) started: u64,
    pub(super) sum: u64,
    pub(super) max: u64,
    pub(super) failures: [u64; FailureKind::COUNT],
    pub(super) replies: Box<[u64]>,
    /// Of those, by source, the handler's left out.
    pub(super) substitutes: [u64; Source::ALL.len() - 1],
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            cells: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// A dispatch begins. It is counted as dropped unless its end is told.
    #[inline(always)]
    pub(crate) fn start(&self) -> InFlight<'_> {
        self.cells().start();
        InFlight(self)
    }

    /// The reply that was just told has another source than the handler.
    #[cold]
    pub(crate) fn substitute(&self, source: Source) {
        self.cells().substitute(source);
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals {
            started: 0,
            sum: 0,
            max: 0,
            failures: [0; FailureKind::COUNT],
            replies: vec![0; BUCKETS].into(),
            substitutes: [0; Source::ALL.len() - 1],
        };
        let all = || self.cells.iter().filter_map(OnceLock::get);
        // Substitutes before replies: who sees one sees its reply, so there are never more of them.
        for cells in all() {
            cells.add_substitutes(&mut totals.substitutes);
        }
        // Ends before beginnings: no dispatch has ended that has not begun.
        for cells in all() {
            cells.add_ends(&mut totals.replies, &mut totals.failures);
        }
        for cells in all() {
            totals.started += cells.started();
            totals.sum = totals.sum.wrapping_add(cells.sum());
            totals.max = totals.max.max(cells.max());
        }
        totals
    }

    #[inline(always)]
    fn cells(&self) -> &Cells {
        self.cells_of(thread_slot())
    }

    #[inline(always)]
    pub(super) fn cells_of(&self, slot: usize) -> &Cells {
        match self.cells[slot].get() {
            Some(cells) => cells,
            None => self.first_cells_of(slot),
        }
    }

    #[cold]
    fn first_cells_of(&self, slot: usize) -> &Cells {
        self.cells[slot].get_or_init(|| Box::new(Cells::new(slot == SLOTS)))
    }
}

/// A dispatch that has begun.
pub(crate) struct InFlight<'r>(&'r Recorder);

impl InFlight<'_> {
    /// Ends with a reply after so many nanoseconds, which may be a negative number.
    #[inline(always)]
    pub(crate) fn reply(self, nanos: u64) {
        self.0.cells().reply(nanos);
        std::mem::forget(self);
    }

    #[cold]
    pub(crate) fn fail(self, kind: FailureKind) {
        self.0.cells().fail(kind);
        std::mem::forget(self);
    }
}

impl Drop for InFlight<'_> {
    #[cold]
    fn drop(&mut self) {
        self.0.cells().fail(FailureKind::Dropped);
    }
}
