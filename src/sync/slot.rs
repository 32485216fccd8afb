//! [`Slots`]: small numbers, each leased to a single holder at a time.

use super::Mutex;

/// Leases the numbers below a size.
///
/// A new holder of a number has seen everything that the former holder did with the number, because
/// both took the lock. Model: `metrics`.
#[derive(Debug)]
pub(crate) struct Slots {
    size: usize,
    free: Mutex<Free>,
}

#[derive(Debug, Default)]
struct Free {
    given_back: Vec<usize>,
    never_taken: usize,
}

impl Slots {
    pub(crate) fn new(size: usize) -> Self {
        let free = Mutex::new(Free::default());
        Self { size, free }
    }

    /// Takes a number below the size, or returns the size if all numbers are leased.
    pub(crate) fn take(&self) -> usize {
        let mut free = self.free.lock();
        if let Some(slot) = free.given_back.pop() {
            return slot;
        }
        let slot = free.never_taken;
        free.never_taken = (slot + 1).min(self.size);
        slot
    }

    pub(crate) fn give_back(&self, slot: usize) {
        if slot < self.size {
            self.free.lock().given_back.push(slot);
        }
    }
}
