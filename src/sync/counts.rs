//! [`Counts`]: a few counts that many threads can add to without contention.

use super::{AtomicU64, Ordering, SLOTS, thread_slot};

/// `N` counts, each split into as many parts as there are [slots](thread_slot) of threads.
///
/// Relaxed everywhere: a count is the word alone, and orders nothing else. No partner. A slot
/// passes from thread to thread through a lock ([`Slots`](super::Slots)), so its only writer has
/// seen all writes of the former one.
#[derive(Debug)]
pub(crate) struct Counts<const N: usize> {
    parts: Box<[Part<N>]>,
}

#[derive(Debug)]
#[repr(align(128))]
struct Part<const N: usize>([AtomicU64; N]);

impl<const N: usize> Counts<N> {
    pub(crate) fn new() -> Self {
        let part = |_| Part(std::array::from_fn(|_| AtomicU64::new(0)));
        Self {
            parts: (0..=SLOTS).map(part).collect(),
        }
    }

    #[inline(always)]
    pub(crate) fn add(&self, which: usize, by: u64) {
        let slot = thread_slot();
        let count = &self.parts[slot].0[which];
        if slot == SLOTS {
            count.fetch_add(by, Ordering::Relaxed);
        } else {
            let before = count.load(Ordering::Relaxed);
            count.store(before.wrapping_add(by), Ordering::Relaxed);
        }
    }

    pub(crate) fn sums(&self) -> [u64; N] {
        std::array::from_fn(|which| {
            let parts = self.parts.iter();
            let counts = parts.map(|part| part.0[which].load(Ordering::Relaxed));
            counts.fold(0, u64::wrapping_add)
        })
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::sync::thread;

    #[test]
    fn no_thread_loses_what_another_counts() {
        let counts = Counts::<2>::new();
        // With more threads than slots, some threads share a slot.
        thread::scope(|scope| {
            for _ in 0..SLOTS + 8 {
                scope.spawn(|| (0..100).for_each(|_| counts.add(1, 2)));
            }
        });
        assert_eq!(counts.sums(), [0, (SLOTS as u64 + 8) * 200]);
    }
}
