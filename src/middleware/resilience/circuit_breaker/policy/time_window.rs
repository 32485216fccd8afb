//! [`TimeWindow`]: the calls of the most recent period, in buckets of time.

use std::time::Duration;

use super::rules::{Health, Rules};
use super::tally::{Counted, Tally};
use super::window::{Counts, SlidingWindow};
use crate::sync::{AtomicU64, Ordering};

/// The number of buckets in a window, which is small in a model so that buckets are reused.
pub(super) const BUCKETS: u64 = if cfg!(arcbus_loom) { 2 } else { 16 };

/// Between reading the clock and counting, a thread is assumed to be delayed for fewer windows than this.
const HELD_UP: u32 = 3;
pub(super) const SHORTEST: Duration = Duration::from_millis(10);
/// A bucket is then 37.5 s long, and full with 114 million calls a second.
pub(super) const LONGEST: Duration = Duration::from_secs(600);

/// A ring of buckets, each a sixteenth of the window long. The window consists of the current bucket and the
/// fifteen before it. So it slides by a sixteenth: a call counts for 15/16 of the window at least, and for
/// the whole window at most.
///
/// A bucket is reused in the next lap of the ring by the first thread that counts in it. Its stamp is lap
/// plus epoch: a new epoch acts as if a whole lap had passed, so that no earlier count is found.
#[derive(Debug)]
pub(super) struct TimeWindow {
    /// 2^64 divided by the length of a bucket: multiplying by this scale replaces a slow division.
    scale: u64,
    /// The number of buckets to add because the clock was set back, so that the ring continues.
    ///
    /// Relaxed, for the reason given at [`Tally`].
    set_back: AtomicU64,
    buckets: Box<[Bucket; BUCKETS as usize]>,
    newest: Newest,
}

/// The counts of a bucket, which are separate so that a good call writes one word.
#[derive(Debug, Default)]
#[repr(align(32))]
struct Bucket {
    calls: Tally,
    failed: Tally,
    slow: Tally,
}

impl TimeWindow {
    pub(super) fn new(length: Duration) -> Self {
        let bucket = length.as_nanos() as u64 / BUCKETS;
        Self {
            scale: u64::MAX / bucket + 1,
            set_back: AtomicU64::new(0),
            buckets: Box::new(std::array::from_fn(|_| Bucket::default())),
            newest: Newest::default(),
        }
    }

    /// Returns the number of the bucket in which `tick` lies.
    #[inline(always)]
    fn index(&self, tick: u64) -> u64 {
        ((u128::from(tick) * u128::from(self.scale)) >> 64) as u64
    }

    #[inline(always)]
    fn bucket(&self, index: u64) -> &Bucket {
        &self.buckets[(index % BUCKETS) as usize]
    }

    /// Counts a call in a bucket that was reused. No thread is delayed for that many windows after reading
    /// the clock, so the clock was set back, and the earlier counts are over.
    #[cold]
    fn count_late(&self, epoch: u32, ended: u64, set_back: u64, by: u32) -> Option<u64> {
        if by < HELD_UP {
            return None;
        }
        // Skip the lap by which other buckets of the ring may be ahead.
        let further = set_back + (u64::from(by) + 2) * BUCKETS;
        let relaxed = Ordering::Relaxed;
        // Another thread may have detected this change of the clock, too.
        let _ = self
            .set_back
            .compare_exchange(set_back, further, relaxed, relaxed);
        self.count(epoch, ended)
    }

    fn counts_until(&self, epoch: u32, end: u64) -> Counts {
        let begin = end.saturating_sub(BUCKETS - 1);
        (begin..=end).fold(Counts::default(), |sum, index| {
            let (bucket, stamp) = (self.bucket(index), stamp(epoch, index));
            Counts {
                calls: sum.calls + u64::from(bucket.calls.get(stamp)),
                failures: sum.failures + u64::from(bucket.failed.get(stamp)),
                slow: sum.slow + u64::from(bucket.slow.get(stamp)),
            }
        })
    }
}

impl SlidingWindow for TimeWindow {
    /// The number of the bucket.
    type Place = u64;

    const ASKS_TIME: bool = true;

    #[inline(always)]
    fn count(&self, epoch: u32, ended: u64) -> Option<u64> {
        let set_back = self.set_back.load(Ordering::Relaxed);
        let index = self.index(ended) + set_back;
        match self.bucket(index).calls.add(stamp(epoch, index)) {
            Counted::Further => {}
            Counted::First => self.newest.advance(epoch, index),
            Counted::Late { by } => return self.count_late(epoch, ended, set_back, by),
        }
        Some(index)
    }

    fn mark(&self, epoch: u32, index: u64, failed: bool, slow: bool) {
        let (bucket, stamp) = (self.bucket(index), stamp(epoch, index));
        if failed {
            bucket.failed.add(stamp);
        }
        if slow {
            bucket.slow.add(stamp);
        }
    }

    /// Judges the window that ends with this bucket, or with a bucket that another thread has begun since.
    fn judge(&self, epoch: u32, index: u64, rules: &Rules) -> Health {
        let newest = self.newest.get(epoch).unwrap_or(index);
        rules.judge(self.counts_until(epoch, newest.max(index)))
    }

    fn latest(&self, epoch: u32) -> Counts {
        let newest = self.newest.get(epoch);
        newest.map_or(Counts::default(), |index| self.counts_until(epoch, index))
    }
}

/// Returns lap plus epoch. Of two concurrent epochs the later has the higher stamps, by at least a lap.
#[inline(always)]
fn stamp(epoch: u32, index: u64) -> u32 {
    ((index / BUCKETS) as u32).wrapping_add(epoch)
}

/// The newest bucket and the epoch in which it was begun: `epoch << 48 | index`. Changed once per bucket.
///
/// Relaxed, for the reason given at [`Tally`].
#[derive(Debug, Default)]
struct Newest(AtomicU64);

const INDEX: u64 = (1 << 48) - 1;

impl Newest {
    fn advance(&self, epoch: u32, index: u64) {
        let next = u64::from(epoch as u16) << 48 | index & INDEX;
        loop {
            let held = self.0.load(Ordering::Relaxed);
            let is_newer = held >> 48 == next >> 48 && held >= next;
            if is_newer || self.swap(held, next) {
                return;
            }
        }
    }

    fn swap(&self, held: u64, next: u64) -> bool {
        self.0
            .compare_exchange(held, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Returns `None` if no call was counted in this epoch.
    fn get(&self, epoch: u32) -> Option<u64> {
        let held = self.0.load(Ordering::Relaxed);
        (held >> 48 == u64::from(epoch as u16)).then_some(held & INDEX)
    }
}
