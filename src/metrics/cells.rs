//! [`Cells`]: the counters into which one thread records the dispatches of one route.

use super::histogram::{BUCKETS, bucket_of};
use crate::context::Source;
use crate::outcome::ErrorKind;
use crate::sync::{AtomicU64, Ordering};

/// Number of bytes for each thread and each route through which the thread has dispatched.
pub const MEMORY_PER_THREAD_AND_ROUTE: usize = size_of::<Cells>();

/// Number of failure kinds. A model has one counter for all of them.
const FAILURES: usize = if cfg!(arcbus_loom) {
    1
} else {
    ErrorKind::COUNT
};

/// Number of reply sources other than the handler.
const SUBSTITUTES: usize = Source::ALL.len() - 1;

/// Counters that one thread writes, or several threads where they are `shared`, and that any thread
/// reads.
#[derive(Debug)]
#[repr(align(128))]
pub(super) struct Cells {
    shared: bool,
    started: Cell,
    /// Sum of the times of all replies, in nanoseconds.
    sum: Cell,
    /// Time of the slowest reply, in nanoseconds.
    max: Cell,
    /// Sum of the times of all failures, in nanoseconds.
    failed_sum: Cell,
    failures: [Cell; FAILURES],
    /// Number of replies that a layer gave instead of the handler, by source.
    substitutes: [Cell; SUBSTITUTES],
    replies: [Cell; BUCKETS],
}

impl Cells {
    pub(super) fn new(shared: bool) -> Self {
        Self {
            shared,
            started: Cell::new(),
            sum: Cell::new(),
            max: Cell::new(),
            failed_sum: Cell::new(),
            failures: std::array::from_fn(|_| Cell::new()),
            substitutes: std::array::from_fn(|_| Cell::new()),
            replies: std::array::from_fn(|_| Cell::new()),
        }
    }

    #[inline(always)]
    pub(super) fn start(&self) {
        self.started.add(1, self.shared);
    }

    /// Records a reply after `nanos` nanoseconds. A negative number, possible where two processors'
    /// clocks differ, counts as zero.
    #[inline(always)]
    pub(super) fn reply(&self, nanos: u64) {
        match self.replies.get(bucket_of(nanos)) {
            Some(bucket) => self.count(nanos, bucket),
            None => self.count_beyond(nanos),
        }
    }

    #[cold]
    fn count_beyond(&self, nanos: u64) {
        let nanos = elapsed(nanos);
        let bucket = bucket_of(nanos).min(BUCKETS - 1);
        self.count(nanos, &self.replies[bucket]);
    }

    /// Writes the bucket last, so that a thread that reads the new bucket also reads the other
    /// cells.
    #[inline(always)]
    fn count(&self, nanos: u64, bucket: &Cell) {
        self.sum.add(nanos, self.shared);
        self.max.raise(nanos, self.shared);
        bucket.add(1, self.shared);
    }

    /// Records the source of a reply. Called after the reply is counted, so that a snapshot with
    /// this source has its reply.
    #[cold]
    pub(super) fn substitute(&self, source: Source) {
        if let Some(place) = (source as usize).checked_sub(1) {
            self.substitutes[place].add(1, self.shared);
        }
    }

    /// Records a failure after `nanos` nanoseconds, where a negative number counts as zero. Writes
    /// the kind last, like the bucket of a reply.
    #[cold]
    pub(super) fn fail(&self, kind: ErrorKind, nanos: u64) {
        let place = if cfg!(arcbus_loom) { 0 } else { kind as usize };
        self.failed_sum.add(elapsed(nanos), self.shared);
        self.failures[place].add(1, self.shared);
    }

    /// Adds the numbers of ended dispatches to `replies` and `failures`.
    pub(super) fn add_ends(&self, replies: &mut [u64], failures: &mut [u64]) {
        let replied = replies.iter_mut().zip(&self.replies);
        let failed = failures.iter_mut().zip(&self.failures);
        for (sum, cell) in replied.chain(failed) {
            *sum += cell.get();
        }
    }

    pub(super) fn add_substitutes(&self, substitutes: &mut [u64]) {
        for (sum, cell) in substitutes.iter_mut().zip(&self.substitutes) {
            *sum += cell.get();
        }
    }

    pub(super) fn started(&self) -> u64 {
        self.started.get()
    }

    pub(super) fn sum(&self) -> u64 {
        self.sum.get()
    }

    pub(super) fn failed_sum(&self) -> u64 {
        self.failed_sum.get()
    }

    pub(super) fn max(&self) -> u64 {
        self.max.get()
    }
}

/// Returns the nanoseconds between two readings of the clock, or zero where the second reading is
/// earlier.
fn elapsed(nanos: u64) -> u64 {
    i64::try_from(nanos).map_or(0, i64::cast_unsigned)
}

/// A counter that only one thread writes, unless `shared`.
#[derive(Debug)]
struct Cell(AtomicU64);

impl Cell {
    fn new() -> Self {
        Self(AtomicU64::new(0))
    }

    /// Release: pairs with the Acquire in [`get`](Self::get). A thread that sees the end of a
    /// dispatch sees its beginning, on whichever threads they were recorded. Model: `metrics`.
    #[inline(always)]
    fn add(&self, by: u64, shared: bool) {
        if shared {
            self.0.fetch_add(by, Ordering::Release);
        } else {
            // Relaxed: this thread wrote the value last, or took the cell over under a lock.
            let before = self.0.load(Ordering::Relaxed);
            self.0.store(before.wrapping_add(by), Ordering::Release);
        }
    }

    /// Relaxed, without a partner: the bucket, written afterwards, publishes this value.
    #[inline(always)]
    fn raise(&self, to: u64, shared: bool) {
        if self.0.load(Ordering::Relaxed) >= to {
            return;
        }
        if shared {
            self.0.fetch_max(to, Ordering::Relaxed);
        } else {
            self.0.store(to, Ordering::Relaxed);
        }
    }

    /// Acquire: pairs with the Release in [`add`](Self::add).
    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;

    fn counted(nanos: u64) -> (u64, u64, Option<usize>) {
        let cells = Cells::new(false);
        cells.reply(nanos);
        let bucket = cells.replies.iter().position(|cell| cell.get() == 1);
        (cells.sum(), cells.max(), bucket)
    }

    #[test]
    fn a_clock_set_back_counts_as_no_time() {
        assert_eq!(counted(0_u64.wrapping_sub(5)), (0, 0, Some(0)));
    }

    #[test]
    fn a_failure_adds_to_the_time_of_the_failures() {
        let cells = Cells::new(false);
        cells.fail(ErrorKind::Timeout, 70);
        cells.fail(ErrorKind::Dropped, 0_u64.wrapping_sub(5));
        assert_eq!((cells.failed_sum(), cells.sum(), cells.max()), (70, 0, 0));
    }

    #[test]
    fn a_reply_beyond_the_histogram_is_in_the_last_bucket() {
        let long = 1 << 40;
        assert_eq!(counted(long), (long, long, Some(BUCKETS - 1)));
    }
}
