//! [`Quantile`]: a quantile of the latencies of the last two windows.
//!
//! A sample is added to a bucket of the window that is being filled, and then to the count. The thread that
//! completes the count, and no other, ends the window. That thread takes the samples out of the buckets,
//! computes the quantile over them and the samples of the previous window, and replaces the previous window
//! with them.
//!
//! Samples that arrive in the meantime are taken with this window or stay for the next one: each is in one
//! window, and none is lost. A sample that is taken before it is counted counts for the next window. So every
//! window but the first may have as many fewer samples as there are threads.

use crate::metrics::histogram::{BUCKETS, LAST, bucket_of, highest_of};
use crate::sync::{AtomicU64, Ordering};

/// The value of a quantile before anything is measured.
const UNKNOWN: u64 = u64::MAX;

pub(in super::super) struct Quantile {
    /// The fraction, above 0 and below 1.
    part: f64,
    /// The number of samples that complete a window.
    window: u64,
    count: AtomicU64,
    /// The number of samples in each bucket of the window that is being filled.
    filling: [AtomicU64; BUCKETS],
    /// The number of samples in each bucket of the previous window. Only the thread that ends a window uses
    /// these.
    before: [AtomicU64; BUCKETS],
    /// The quantile in nanoseconds, or [`UNKNOWN`].
    ///
    /// Relaxed, like `samples`: each is a single word that publishes nothing else. No partner, no model.
    nanos: AtomicU64,
    /// The number of samples from which the quantile was computed.
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

    /// Returns the quantile, rounded up to the bound of its bucket.
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

    /// Adds a latency in nanoseconds.
    pub(super) fn add(&self, nanos: u64) {
        let bucket = bucket_of(nanos).min(BUCKETS - 1);
        // Relaxed: the count below publishes this sample.
        self.filling[bucket].fetch_add(1, Ordering::Relaxed);
        // Release: pairs with the Acquire of the thread that completes the window, which then sees all
        // samples of that window. Acquire: pairs with the Release in `end_window`, so that a thread that ends
        // a window sees the writes of the thread that ended the previous one. Model: `hedge`.
        let before = self.count.fetch_add(1, Ordering::AcqRel);
        // Equal, not at least: samples that arrive while a window is being ended must not end it again.
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
        // Release: pairs with the Acquire in `add`. A swap, although a store would do, because `loom` lets an
        // addition read the value before a store, and then find its own sum after the store.
        self.count.swap(0, Ordering::Release);
    }

    /// Ends a window in one bucket, and returns its number of samples in this window and the previous one.
    ///
    /// Relaxed: only the thread that ends a window runs this, and the count has ordered the values it finds.
    fn take(&self, bucket: usize) -> u64 {
        // Most buckets are empty, and reading one is cheaper than a swap.
        let taken = match self.filling[bucket].load(Ordering::Relaxed) {
            0 => 0,
            _ => self.filling[bucket].swap(0, Ordering::Relaxed),
        };
        let before = self.before[bucket].load(Ordering::Relaxed);
        self.before[bucket].store(taken, Ordering::Relaxed);
        taken + before
    }
}

/// Returns the upper bound of the bucket that holds the sample at this fraction of all samples, by the
/// nearest rank.
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

    /// Fills windows with these latencies one by one, and compares the results with those of sorted lists.
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
