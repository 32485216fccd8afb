//! [`Versioned`]: a few words that are read together and changed together.

use std::fmt;

use super::{AtomicU64, Mutex, Ordering, fence};

/// `N` words that no reader sees half changed. Reading takes no lock and no locked instruction, and
/// never waits for a writer. A reader starts again only if a change was finished in the meantime.
///
/// Two slots alternate: version `v` stays in slot `v % 2` while `v + 1` is written into the other
/// slot. This is a sequence lock (Boehm, "Can seqlocks get along with programming language memory
/// models?", 2012) that does not keep readers out while a writer is at work. Model: `versioned`.
pub(crate) struct Versioned<const N: usize> {
    version: AtomicU64,
    slots: [[AtomicU64; N]; 2],
    /// The latest version, for writers only.
    latest: Mutex<(u64, [u64; N])>,
}

impl<const N: usize> Versioned<N> {
    pub(crate) fn new(words: [u64; N]) -> Self {
        Self {
            version: AtomicU64::new(0),
            slots: [words.map(AtomicU64::new), [0; N].map(AtomicU64::new)],
            latest: Mutex::new((0, words)),
        }
    }

    /// Returns the words of a single version.
    #[inline]
    pub(crate) fn read(&self) -> [u64; N] {
        loop {
            // Acquire: pairs with the Release in `update`, so that the words of this version are
            // visible.
            let version = self.version.load(Ordering::Acquire);
            let words = self.slot(version).each_ref();
            let words = words.map(|word| word.load(Ordering::Relaxed));
            // Acquire: pairs with the fence in `update`. A reader of a word from two versions later
            // also finds the next version published.
            fence(Ordering::Acquire);
            if self.version.load(Ordering::Relaxed) == version {
                return words;
            }
        }
    }

    /// Replaces the words by the result of `change`. Writers take turns.
    pub(crate) fn update(&self, change: impl FnOnce([u64; N]) -> [u64; N]) {
        let mut latest = self.latest.lock();
        let (version, words) = *latest;
        let (next, words) = (version + 1, change(words));
        // Release: pairs with the fence in `read`. A reader of these words has seen version
        // `next - 1`.
        fence(Ordering::Release);
        for (word, value) in self.slot(next).iter().zip(words) {
            word.store(value, Ordering::Relaxed);
        }
        // Release: pairs with the Acquire in `read`.
        self.version.store(next, Ordering::Release);
        *latest = (next, words);
    }

    fn slot(&self, version: u64) -> &[AtomicU64; N] {
        &self.slots[(version % 2) as usize]
    }
}

/// Reads without a lock, because the formatter that receives the words is user code.
impl<const N: usize> fmt::Debug for Versioned<N> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Versioned").field(&self.read()).finish()
    }
}
