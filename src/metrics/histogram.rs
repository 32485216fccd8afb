//! The buckets of a latency histogram, with 16 of them for each power of two.
//!
//! Follows HdrHistogram (Gil Tene, hdrhistogram.org): a bucket's width grows with its value, so
//! that the relative error is constant. With 16 buckets for each power of two, a latency is known
//! to 1/16.

/// Number of buckets for each power of two, itself given as a power of two.
const BITS: u32 = 4;
/// Number of powers of two. Latencies from 2^36 ns (69 seconds) up share the last bucket.
const POWERS: u32 = 36;

/// Number of buckets. A model has two, because it reads every bucket.
pub(crate) const BUCKETS: usize = if cfg!(arcbus_loom) {
    2
} else {
    ((POWERS - BITS + 1) << BITS) as usize + 1
};

/// Returns the bucket of a latency in nanoseconds. The number is out of range for a latency beyond
/// the last bucket.
#[inline(always)]
pub(crate) fn bucket_of(nanos: u64) -> usize {
    // Values below 2 * 2^BITS have a bucket for each nanosecond.
    let power = (nanos | 1 << BITS).ilog2();
    let shift = power - BITS;
    (u64::from(shift) << BITS) as usize + (nanos >> shift) as usize
}

/// Returns the highest latency in nanoseconds that a bucket holds, or `None` for the last bucket.
pub(crate) fn highest_of(bucket: usize) -> Option<u64> {
    if bucket == BUCKETS - 1 {
        return None;
    }
    let bucket = bucket as u64;
    let shift = (bucket >> BITS).saturating_sub(1);
    Some(((bucket - (shift << BITS) + 1) << shift) - 1)
}

/// The lowest latency in nanoseconds that the last bucket holds.
pub(crate) const LAST: u64 = 1 << POWERS;

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;

    #[test]
    fn buckets_follow_each_other_without_a_gap() {
        for bucket in 0..BUCKETS - 1 {
            let highest = highest_of(bucket).expect("not the last");
            assert_eq!(bucket_of(highest), bucket);
            assert_eq!(bucket_of(highest + 1), bucket + 1);
        }
        assert_eq!(highest_of(BUCKETS - 2), Some(LAST - 1));
        assert_eq!(highest_of(BUCKETS - 1), None);
        assert_eq!(bucket_of(LAST), BUCKETS - 1);
        assert!(bucket_of(u64::MAX) >= BUCKETS);
    }

    #[test]
    fn a_latency_is_known_to_a_sixteenth() {
        for nanos in (1..1 << 20).chain((20..36).map(|power| (1 << power) + 12_345)) {
            let highest = highest_of(bucket_of(nanos)).expect("not the last");
            assert!(nanos <= highest && highest - nanos <= nanos / 16);
        }
    }
}
