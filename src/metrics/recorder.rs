//! [`Recorder`]: the counters of one route, added up over all threads.

use super::cells::Cells;
use super::totals::Totals;
use crate::context::Source;
use crate::outcome::ErrorKind;
use crate::sync::{OnceLock, SLOTS, thread_slot};

/// The cells of every thread, by its slot. Threads without a slot share the cells in the last
/// place.
pub(crate) struct Recorder {
    cells: [OnceLock<Box<Cells>>; SLOTS + 1],
}

impl Recorder {
    pub(crate) fn new() -> Self {
        Self {
            cells: std::array::from_fn(|_| OnceLock::new()),
        }
    }

    /// Records the start of a dispatch.
    #[inline(always)]
    pub(crate) fn start(&self) {
        self.cells().start();
    }

    /// Records a reply after `nanos` nanoseconds, which may be a negative number.
    #[inline(always)]
    pub(crate) fn reply(&self, nanos: u64) {
        self.cells().reply(nanos);
    }

    /// Records a failure after `nanos` nanoseconds, which may be a negative number.
    #[cold]
    pub(crate) fn fail(&self, kind: ErrorKind, nanos: u64) {
        self.cells().fail(kind, nanos);
    }

    /// Records that the reply just counted has another source than the handler.
    #[cold]
    pub(crate) fn substitute(&self, source: Source) {
        self.cells().substitute(source);
    }

    pub(crate) fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        let all = || self.cells.iter().filter_map(OnceLock::get);
        // Reads substitutes before replies, so that a snapshot never has more substitutes than
        // replies.
        for cells in all() {
            cells.add_substitutes(&mut totals.substitutes);
        }
        // Reads ends before beginnings, so that no dispatch has ended without having begun.
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
