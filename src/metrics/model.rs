//! [`Recorded`]: a recorder whose threads take their slots themselves, for the models.

use super::recorder::Recorder;
use crate::outcome::ErrorKind;
use crate::sync::{SLOTS, Slots};

/// A route's metrics, and the slots of the threads that record them.
pub struct Recorded {
    recorder: Recorder,
    slots: Slots,
}

impl Recorded {
    /// For `threads` threads at a time with a slot of their own.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let recorder = Recorder::new();
        // The cells are published by std's `OnceLock`, which no model sees: so they are there.
        for slot in 0..=SLOTS {
            recorder.cells_of(slot);
        }
        Self {
            recorder,
            slots: Slots::new(threads),
        }
    }

    /// As a thread that begins.
    pub fn take_slot(&self) -> usize {
        self.slots.take()
    }

    /// As a thread that ends.
    pub fn give_back_slot(&self, slot: usize) {
        self.slots.give_back(slot);
    }

    /// A dispatch begins on the thread with this slot.
    pub fn start(&self, slot: usize) {
        self.recorder.cells_of(slot).start();
    }

    /// A dispatch ends on the thread with this slot.
    pub fn reply(&self, slot: usize) {
        self.recorder.cells_of(slot).reply(1);
    }

    /// A dispatch ends otherwise.
    pub fn fail(&self, slot: usize) {
        self.recorder.cells_of(slot).fail(ErrorKind::Dropped, 1);
    }

    /// How many have begun, replied and failed.
    #[must_use]
    pub fn totals(&self) -> [u64; 3] {
        let totals = self.recorder.totals();
        let ended = [&*totals.replies, &totals.failures[..]];
        let [replies, failures] = ended.map(|cells| cells.iter().sum());
        [totals.started, replies, failures]
    }
}

debug_name!(Recorded, "Recorded");
