//! [`Quantile`]: of the latencies of the last two windows.
//!
//! A sample goes into a bucket of the window that is being filled, and then into the count. Who makes the
//! count complete, and nobody else, ends the window: takes the samples out of its buckets, computes the
//! quantile of them and of those of the window before, and puts them in the place of those. Samples that
//! come meanwhile are taken with this window or stay for the next: each is in one, and none is lost. One
//! that is taken before it is counted counts for the next: a window but the first may have as many fewer
//! as there are threads.

use crate::metrics::histogram::{BUCKETS, LAST, bucket_of, highest_of};
use crate::sync::{AtomicU64, Ordering};

/// In the place of the quantile: nothing has been measured yet.
const UNKNOWN: u64 = u64::MAX;

pub(in super::super) struct Quantile {
    /// Above 0, below 1.
    part: f64,
    /// How many samples complete a window.
    window: u64,
    count: AtomicU64,
    /// How many samples of a bucket there are in the window that is being filled.
    filling: [AtomicU64; BUCKETS],
    /// In the one before. Touched by who ends a window alone.
    before: [AtomicU64; BUCKETS],
    /// In nanoseconds, or [`UNKNOWN`].
    ///
    /// Relaxed, as `samples`: one word each, nothing else is read by them. No partner, no model.
    nanos: AtomicU64,
    /// How many samples it was computed from.
    samples: AtomicU64,
}

impl Quantile {
    pub(in super::super) fn new(part: f64, window: u64) -> Self {
        let empty = || std::array::from_fn(|_| AtomicU64::new(0));
        Self {
            part,
            window,
            count: AtomicU64::new(0),
            filling: empty(),
            before: empty(),
            nanos: AtomicU64::new(UNKNOWN),
            samples: AtomicU64::new(0),
        }
    }

    /// The quantile, rounded up to the bounds of its bucket.
    #[inline]
    pub(super) fn nanos(&self) -> Option<u64> {
        let nanos = self.nanos.load(Ordering::Relaxed);
        (nanos != UNKNOWN).then_some(nanos)
    }

    pub(super) fn part(&self) -> f64 {
        self.part
    }

    pub(super) fn samples(&self) -> u64 {
        self.samples.load(Ordering::Relaxed)
    }

    /// A latency in nanoseconds.
    pub(super) fn add(&self, nanos: u64) {
        let bucket = bucket_of(nanos).min(BUCKETS - 1);
        // Relaxed: the count below publishes it.
        self.filling[bucket].fetch_add(1, Ordering::Relaxed);
        // Release: pairs with the Acquire of who completes the window, who finds all its samples.
        // Acquire: pairs with the Release in `end_window`: who ends a window has what the one before
        // wrote. Model: `hedge`.
        let before = self.count.fetch_add(1, Ordering::AcqRel);
        // Equal, and not more: those that come while a window is being ended do not end it again.
        if before + 1 == self.window {
            self.end_window();
        }
    }

    #[cold]
    fn end_window(&self) {
        let counts: [u64; BUCKETS] = std::array::from_fn(|bucket| self.take(bucket));
        let samples = counts.iter().sum();
        self.samples.store(samples, Ordering::Relaxed);
        let quantile = nearest_rank(&counts, samples, self.part);
        self.nanos.store(quantile, Ordering::Relaxed);
        // Release: pairs with the Acquire in `add`. A swap, where a store would do: `loom` lets an addition
        // read what stood before a store, and then find its own sum after it.
        self.count.swap(0, Ordering::Release);
    }

    /// Ends a window in one bucket; how many samples it has in that and the one before.
    ///
    /// Relaxed: only the one who ends a window is here, and the count has ordered what it finds.
    fn take(&self, bucket: usize) -> u64 {
        // Most buckets are empty: a read of one is cheaper than a swap.
        let taken = match self.filling[bucket].load(Ordering::Relaxed) {
            0 => 0,
            _ => self.filling[bucket].swap(0, Ordering::Relaxed),
        };
        let before = self.before[bucket].load(Ordering::Relaxed);
        self.before[bucket].store(taken, Ordering::Relaxed);
        taken + before
    }
}

/// The upper bound of the bucket in which the sample stands that is not exceeded by this part of all:
/// the nearest rank.
fn nearest_rank(counts: &[u64; BUCKETS], samples: u64, part: f64) -> u64 {
    let rank = (samples as f64 * part).ceil() as u64;
    let mut below = 0;
    let bucket = counts.iter().position(|count| {
        below += count;
        below >= rank
    });
    bucket.and_then(highest_of).unwrap_or(LAST)
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// Fills windows with these latencies one by one, and compares with lists of them.
    fn measures(latencies: &[u64], window: usize, part: f64) {
        let quantile = Quantile::new(part, window as u64);
        let (mut before, mut filling) = (Vec::new(), Vec::new());
        let mut known = None;
        for latency in latencies {
            quantile.add(*latency);
            filling.push(*latency);
            if filling.len() == window {
                let mut last_two = [before, filling.clone()].concat();
                last_two.sort_unstable();
                let rank = (last_two.len() as f64 * part).ceil() as usize;
                let bucket = bucket_of(last_two[rank - 1]).min(BUCKETS - 1);
                known = Some((highest_of(bucket).unwrap_or(LAST), last_two.len() as u64));
                (before, filling) = (filling, Vec::new());
            }
            let nanos = known.map(|(nanos, _)| nanos);
            assert_eq!(quantile.nanos(), nanos, "{latencies:?}, {window}, {part}");
            assert_eq!(quantile.samples(), known.map_or(0, |(_, samples)| samples));
        }
    }

    #[test]
    fn a_quantile_is_that_of_the_last_two_windows() {
        for window in 1..=3 {
            for part in [0.01, 0.5, 0.9] {
                let (ways, _) = reach(vec![Vec::new()], 7, |latencies: &Vec<u64>| {
                    measures(latencies, window, part);
                    let more = |latency| [&latencies[..], &[latency]].concat();
                    [0, 1_000_000, u64::MAX].map(more).into()
                });
                assert!(ways > 3_000, "{ways}");
            }
        }
    }
}
