//! [`CacheStats`]: the counts of hits, misses, loads and waits.

use crate::sync::Counts;

/// Counts of a [`Cache`](super::Cache) or a [`Coalesce`](crate::middleware::Coalesce), over all routes of a
/// message, since they were registered.
///
/// A dispatch is answered from the cache (`hits`, `stale`) or not (`misses`). A miss waits for another
/// dispatch's run (`waits`), runs the inner service (`loads`), or is refused (`refused`). A miss that waits
/// for a run that fails may count in both `waits` and `loads`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct CacheStats {
    /// Dispatches that a fresh entry answered.
    pub hits: u64,
    /// Dispatches that found no entry to answer them at once.
    pub misses: u64,
    /// Runs of the inner service that were begun.
    pub loads: u64,
    /// Dispatches that waited for another dispatch's run, however the wait ended.
    pub waits: u64,
    /// Entries that other entries drove out.
    pub evictions: u64,
    /// Dispatches that an expired reply answered.
    pub stale: u64,
    /// Dispatches refused because the run already had its bound of waiters.
    pub refused: u64,
    /// Entries that are kept at this moment, expired ones included.
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
