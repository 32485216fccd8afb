//! [`Counts`]: what is in flight, the limit and its range, in one atomic word.

use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering};

/// In flight: the lowest 16 bits.
const IN_FLIGHT: u64 = 1;
/// Then the limit, the least and the most it may be, 16 bits each.
const LIMIT: u64 = 1 << 16;
const MIN: u64 = 1 << 32;
const MAX: u64 = 1 << 48;
/// The largest value of each.
const LARGEST: u64 = (1 << 16) - 1;

/// The state of an adaptive limit at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdaptiveUsage {
    /// How many dispatches may be in flight at once, of the highest priority.
    pub limit: usize,
    /// How many are: above the limit for a while after it fell.
    pub in_flight: usize,
    /// The least the limit may be.
    pub min: usize,
    /// The most the limit may be.
    pub max: usize,
}

impl AdaptiveUsage {
    /// The part of the limit that is in use: 1.0 is all of it.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.in_flight as f64 / self.limit as f64
    }
}

/// All four are read and changed together: a limit is in its range at every moment.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    #[inline]
    fn in_flight(self) -> u64 {
        self.0 & LARGEST
    }

    #[inline]
    fn limit(self) -> u64 {
        (self.0 / LIMIT) & LARGEST
    }

    fn min(self) -> u64 {
        (self.0 / MIN) & LARGEST
    }

    fn max(self) -> u64 {
        self.0 / MAX
    }

    /// How many may be in flight to let another in that may use this part of the limit.
    #[inline]
    fn share(self, sixteenths: u64) -> u64 {
        (self.limit() * sixteenths).div_ceil(16)
    }

    fn with(self, limit: u64, min: u64, max: u64) -> u64 {
        self.in_flight() + limit.clamp(min, max) * LIMIT + min * MIN + max * MAX
    }
}

/// Orderings: who enters synchronises with those who have left (Acquire, Release), as with any
/// permit; the counts themselves need no more than the order of the word. Model: `adaptive_limit`.
pub(super) struct Counts(AtomicU64);

impl Counts {
    /// `limit` within `min` and `max`, which are in range.
    pub(super) fn new(limit: u64, min: u64, max: u64) -> Self {
        Self(AtomicU64::new(Word(0).with(limit, min, max)))
    }

    pub(super) fn check_range(min: usize, max: usize) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(min >= 1, "AdaptiveLimit.min", "at least 1")?;
        InvalidSetting::unless(
            (min..=LARGEST as usize).contains(&max),
            "AdaptiveLimit.max",
            "from min to 65535",
        )
    }

    pub(super) fn read(&self) -> AdaptiveUsage {
        // Relaxed: a reading, for people.
        let word = Word(self.0.load(Ordering::Relaxed));
        AdaptiveUsage {
            limit: word.limit() as usize,
            in_flight: word.in_flight() as usize,
            min: word.min() as usize,
            max: word.max() as usize,
        }
    }

    pub(super) fn in_flight(&self) -> u64 {
        Word(self.0.load(Ordering::Relaxed)).in_flight()
    }

    pub(super) fn limit(&self) -> u64 {
        // Relaxed: by who computes it anew, who alone changes it but for its range.
        Word(self.0.load(Ordering::Relaxed)).limit()
    }

    /// Enters, unless its part of the limit is in use; says how many are in flight then, or how many
    /// may be.
    #[inline]
    pub(super) fn try_enter(&self, sixteenths: u64) -> Result<u64, u64> {
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            let (word, after) = (Word(before), before + IN_FLIGHT);
            if word.in_flight() >= word.share(sixteenths) {
                return Err(word.share(sixteenths));
            }
            let changed =
                self.0
                    .compare_exchange_weak(before, after, Ordering::Acquire, Ordering::Relaxed);
            match changed {
                Ok(_) => return Ok(Word(after).in_flight()),
                Err(now) => before = now,
            }
        }
    }

    #[inline]
    pub(super) fn leave(&self) {
        self.0.fetch_sub(IN_FLIGHT, Ordering::Release);
    }

    /// Sets the limit, or what of the range is nearest.
    pub(super) fn set_limit(&self, limit: u64) {
        self.change(|word| word.with(limit, word.min(), word.max()));
    }

    pub(super) fn set_range(&self, min: usize, max: usize) -> Result<(), InvalidSetting> {
        Self::check_range(min, max)?;
        self.change(|word| word.with(word.limit(), min as u64, max as u64));
        Ok(())
    }

    fn change(&self, to: impl Fn(Word) -> u64) {
        let mut before = self.0.load(Ordering::Relaxed);
        // Relaxed: it orders nothing; the dispatches that left before keep their Release.
        while let Err(now) = self.0.compare_exchange_weak(
            before,
            to(Word(before)),
            Ordering::Relaxed,
            Ordering::Relaxed,
        ) {
            before = now;
        }
    }
}
