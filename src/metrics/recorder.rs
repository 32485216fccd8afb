//! [`Recorder`]: what is recorded of one route.

use super::cells::Cells;
use super::totals::Totals;
use crate::context::Source;
use crate::outcome::ErrorKind;
use crate::sync::{OnceLock, SLOTS, thread_slot};

/// The cells of every thread, by its slot; in the last place those that threads without one share.
pub(crate) struct Recorder {
    cells: [OnceLock<Box<Cells>>; SLOTS + 1],
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            cells: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// A dispatch begins.
    #[inline(always)]
    pub(crate) fn start(&self) {
        self.cells().start();
    }

    /// A dispatch ends with a reply after so many nanoseconds, which may be a negative number.
    #[inline(always)]
    pub(crate) fn reply(&self, nanos: u64) {
        self.cells().reply(nanos);
    }

    /// A dispatch ends without a reply after so many nanoseconds, which may be a negative number.
    #[cold]
    pub(crate) fn fail(&self, kind: ErrorKind, nanos: u64) {
        self.cells().fail(kind, nanos);
    }

    /// The reply that was just told has another source than the handler.
    #[cold]
    pub(crate) fn substitute(&self, source: Source) {
        self.cells().substitute(source);
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
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
            totals.add_times(cells.sum(), cells.failed_sum(), cells.max());
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
