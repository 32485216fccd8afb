//! [`Random`]: numbers for jitter, faults and samples, but not for secrets. And seeds for hash tables.

use ahash::RandomState;

use crate::sync::{AtomicU64, Ordering};

/// A generator that draws an identical sequence of numbers for an identical seed.
///
/// The algorithm is SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number
/// generators", 2014). Its state is a counter, so threads draw from one sequence by one atomic
/// addition.
#[derive(Debug)]
pub(crate) struct Random {
    /// Relaxed: each addition draws another number, and no other memory is ordered by the counter.
    /// No partner.
    counter: AtomicU64,
}

/// The increment of SplitMix64, which is 2^64 divided by the golden ratio.
const GOLDEN: u64 = 0x9e37_79b9_7f4a_7c15;

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self {
            counter: AtomicU64::new(seed),
        }
    }

    /// Creates a generator with a seed of this process, so that two processes draw different
    /// numbers.
    pub(crate) fn seeded_by_process() -> Self {
        Self::new(random_state().hash_one(0))
    }

    pub(crate) fn next(&self) -> u64 {
        let counter = self.counter.fetch_add(GOLDEN, Ordering::Relaxed);
        let mixed = (counter ^ (counter >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// Returns a number from 0 up to, but not including, 1.
    pub(crate) fn unit(&self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }
}

/// Returns a freshly seeded hasher, because keys may come from outside. In a model, whose runs must
/// repeat, the seed is fixed.
pub(crate) fn random_state() -> RandomState {
    if cfg!(arcbus_loom) {
        RandomState::with_seeds(1, 2, 3, 4)
    } else {
        RandomState::new()
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;

    #[test]
    fn seeds_have_sequences_of_their_own() {
        let draws = |seed| {
            let random = Random::new(seed);
            (0..64).map(|_| random.next()).collect::<Vec<_>>()
        };
        assert_eq!(draws(1), draws(1));
        assert_ne!(draws(1), draws(2));
    }

    #[test]
    fn units_fill_their_range() {
        let random = Random::seeded_by_process();
        let units: Vec<_> = (0..10_000).map(|_| random.unit()).collect();
        assert!(units.iter().all(|unit| (0.0..1.0).contains(unit)));
        let mean = units.iter().sum::<f64>() / 10_000.0;
        assert!((0.48..0.52).contains(&mean), "{mean}");
    }
}
