//! [`Recorded`]: a recorder for the models, whose threads take their slots explicitly.

use super::recorder::Recorder;
use crate::outcome::ErrorKind;
use crate::sync::{SLOTS, Slots};

/// A route's metrics, and the slots of the threads that record into them.
pub struct Recorded {
    recorder: Recorder,
    slots: Slots,
}

impl Recorded {
    /// Creates a recorder in which `threads` threads at a time have their own slot.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let recorder = Recorder::new();
        // Creates all cells now, because std's `OnceLock`, which publishes them, is invisible to a
        // model.
        for slot in 0..=SLOTS {
            recorder.cells_of(slot);
        }
        Self {
            recorder,
            slots: Slots::new(threads),
        }
    }

    /// Takes a slot, like a thread that begins.
    pub fn take_slot(&self) -> usize {
        self.slots.take()
    }

    /// Gives a slot back, like a thread that ends.
    pub fn give_back_slot(&self, slot: usize) {
        self.slots.give_back(slot);
    }

    /// Records the start of a dispatch, in the cells of the thread with this slot.
    pub fn start(&self, slot: usize) {
        self.recorder.cells_of(slot).start();
    }

    /// Records a reply, in the cells of the thread with this slot.
    pub fn reply(&self, slot: usize) {
        self.recorder.cells_of(slot).reply(1);
    }

    /// Records a failure, in the cells of the thread with this slot.
    pub fn fail(&self, slot: usize) {
        self.recorder.cells_of(slot).fail(ErrorKind::Dropped, 1);
    }

    /// Returns the numbers of started dispatches, replies and failures.
    #[must_use]
    pub fn totals(&self) -> [u64; 3] {
        let totals = self.recorder.totals();
        let ended = [&*totals.replies, &totals.failures[..]];
        let [replies, failures] = ended.map(|cells| cells.iter().sum());
        [totals.started, replies, failures]
    }
}

debug_name!(Recorded, "Recorded");
