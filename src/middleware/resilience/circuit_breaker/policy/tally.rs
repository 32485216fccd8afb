//! [`Tally`]: a count that belongs to one bucket of time, and restarts in the next.

use crate::sync::{AtomicU64, Ordering};

/// `stamp << 32 | count`, so that one compare-and-swap checks the bucket and counts. A count of zero belongs
/// to any bucket.
///
/// Relaxed everywhere: threads see each other's counts through the word of the breaker, which a thread that
/// has counted a bad call loads and changes before it judges (Acquire, Release). Models: `circuit_breaker`.
#[derive(Debug, Default)]
pub(super) struct Tally(AtomicU64);

/// The result of counting a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Counted {
    /// The call is the first of the bucket.
    First,
    Further,
    /// The bucket is gone, because it was reused for a bucket `by` stamps later.
    Late {
        by: u32,
    },
}

/// The maximum of a count, which stays there: a bucket loses no call before it has counted four billion.
const FULL: u32 = u32::MAX;

/// A bucket farther ahead than this was left alone until the stamps wrapped.
const AHEAD: u32 = 1 << 20;

impl Tally {
    #[inline(always)]
    pub(super) fn add(&self, stamp: u32) -> Counted {
        let held = self.0.load(Ordering::Relaxed);
        // One comparison checks that the count belongs to this bucket, and is neither empty nor full.
        let count = held.wrapping_sub(u64::from(stamp) << 32);
        if count.wrapping_sub(1) < u64::from(FULL - 1) && self.swap(held, held + 1) {
            Counted::Further
        } else {
            self.add_again(stamp)
        }
    }

    #[cold]
    #[inline(never)]
    fn add_again(&self, stamp: u32) -> Counted {
        loop {
            let held = self.0.load(Ordering::Relaxed);
            let ahead = stamp_of(held).wrapping_sub(stamp);
            let (next, counted) = match count_of(held) {
                FULL if ahead == 0 => return Counted::Further,
                1.. if ahead == 0 => (held + 1, Counted::Further),
                1.. if ahead < AHEAD => return Counted::Late { by: ahead },
                _ => (u64::from(stamp) << 32 | 1, Counted::First),
            };
            if self.swap(held, next) {
                return counted;
            }
        }
    }

    /// Returns the count of the bucket `stamp`.
    pub(super) fn get(&self, stamp: u32) -> u32 {
        let held = self.0.load(Ordering::Relaxed);
        if stamp_of(held) == stamp {
            count_of(held)
        } else {
            0
        }
    }

    #[inline(always)]
    fn swap(&self, held: u64, next: u64) -> bool {
        self.0
            .compare_exchange(held, next, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }
}

#[inline(always)]
fn stamp_of(held: u64) -> u32 {
    (held >> 32) as u32
}

fn count_of(held: u64) -> u32 {
    held as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_within_a_bucket_and_starts_anew_in_the_next() {
        let tally = Tally::default();
        assert_eq!(tally.add(7), Counted::First);
        assert_eq!(tally.add(7), Counted::Further);
        assert_eq!((tally.get(7), tally.get(6), tally.get(8)), (2, 0, 0));
        assert_eq!(tally.add(8), Counted::First);
        assert_eq!((tally.get(7), tally.get(8)), (0, 1));
    }

    #[test]
    fn what_is_late_changes_nothing() {
        let tally = Tally::default();
        tally.add(8);
        assert_eq!(tally.add(7), Counted::Late { by: 1 });
        assert_eq!(tally.get(8), 1);
    }

    #[test]
    fn an_unused_tally_takes_any_stamp() {
        for stamp in [0, 1, u32::MAX, u32::MAX - 1, 1 << 31] {
            let tally = Tally::default();
            tally.add(stamp);
            assert_eq!(tally.get(stamp), 1);
        }
    }

    #[test]
    fn a_full_count_spills_nowhere() {
        let tally = Tally(AtomicU64::new(u64::from(FULL - 1)));
        for _ in 0..3 {
            assert_eq!(tally.add(0), Counted::Further);
            assert_eq!((tally.get(0), tally.get(1)), (FULL, 0));
        }
    }

    #[test]
    fn stamps_wrap() {
        let tally = Tally::default();
        tally.add(u32::MAX);
        assert_eq!(tally.add(0), Counted::First);
        assert_eq!(tally.add(u32::MAX), Counted::Late { by: 1 });
        assert_eq!(tally.get(0), 1);
    }

    #[test]
    fn a_bucket_that_was_left_alone_for_ages_is_reused() {
        let tally = Tally::default();
        tally.add(5);
        let ages_later = 5_u32.wrapping_sub(AHEAD);
        assert_eq!(tally.add(ages_later), Counted::First);
    }
}
