//! [`CacheStats`]: what became of those who asked.

use crate::sync::Counts;

/// Counts of a [`Cache`](super::Cache) or a [`Coalesce`](crate::middleware::Coalesce), of all routes of
/// a message together, since they were registered.
///
/// A dispatch is answered from the cache (`hits`, `stale`) or not (`misses`); a miss waits for another
/// dispatch's run (`waits`), or runs the rest (`loads`), or, where the other fails, both; or is refused
/// (`refused`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Answered by what was kept and fresh.
    pub hits: u64,
    /// Found nothing to be answered by at once.
    pub misses: u64,
    /// Runs of the rest of the pipeline that were begun.
    pub loads: u64,
    /// Dispatches that waited for another's run, however that ended.
    pub waits: u64,
    /// Entries that were driven out by others.
    pub evictions: u64,
    /// Answered by a reply whose time was over.
    pub stale: u64,
    /// Refused, because as many waited for another's run as may.
    pub refused: u64,
    /// What is kept at this moment, what has expired included.
    pub entries: u64,
}

/// The counts of one route.
#[derive(Debug)]
pub(super) struct Tally(Counts<7>);

#[derive(Clone, Copy)]
pub(super) enum Count {
    Hit,
    Miss,
    Load,
    Wait,
    Eviction,
    Stale,
    Refused,
}

impl Tally {
    pub(super) fn new() -> Self {
        Self(Counts::new())
    }

    #[inline(always)]
    pub(super) fn count(&self, what: Count) {
        self.0.add(what as usize, 1);
    }

    pub(super) fn add(&self, what: Count, times: usize) {
        self.0.add(what as usize, times as u64);
    }

    pub(super) fn stats(&self, entries: usize) -> CacheStats {
        let [hits, misses, loads, waits, evictions, stale, refused] = self.0.sums();
        CacheStats {
            hits,
            misses,
            loads,
            waits,
            evictions,
            stale,
            refused,
            entries: entries as u64,
        }
    }
}

impl CacheStats {
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            hits: self.hits + other.hits,
            misses: self.misses + other.misses,
            loads: self.loads + other.loads,
            waits: self.waits + other.waits,
            evictions: self.evictions + other.evictions,
            stale: self.stale + other.stale,
            refused: self.refused + other.refused,
            entries: self.entries + other.entries,
        }
    }
}
