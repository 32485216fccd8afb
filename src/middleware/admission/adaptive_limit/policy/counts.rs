//! [`Counts`]: the dispatches in flight, the limit and its range, in one atomic word.

use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering};

/// A dispatch in flight, counted in the lowest 16 bits.
const IN_FLIGHT: u64 = 1;
/// A limit of one, followed by the least and the largest limit, with 16 bits for each.
const LIMIT: u64 = 1 << 16;
const MIN: u64 = 1 << 32;
const MAX: u64 = 1 << 48;
/// The largest value of each count.
const LARGEST: u64 = (1 << 16) - 1;

/// The state of an adaptive limit at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AdaptiveUsage {
    /// Number of dispatches of the highest priority that may be in flight at once.
    pub limit: usize,
    /// Number of dispatches in flight, which exceeds the limit for a while after the limit fell.
    pub in_flight: usize,
    /// The least value of the limit.
    pub min: usize,
    /// The largest value of the limit.
    pub max: usize,
}

impl AdaptiveUsage {
    /// Returns the used part of the limit, where 1.0 is the whole limit.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.in_flight as f64 / self.limit as f64
    }
}

/// A word of four counts that are read and changed together, so that a limit is always in its range.
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

    /// Returns the number of dispatches in flight below which a message with this part of the limit
    /// enters.
    #[inline]
    fn share(self, sixteenths: u64) -> u64 {
        (self.limit() * sixteenths).div_ceil(16)
    }

    fn with(self, limit: u64, min: u64, max: u64) -> u64 {
        self.in_flight() + limit.clamp(min, max) * LIMIT + min * MIN + max * MAX
    }
}

/// Orderings: a dispatch that enters synchronises with those that have left (Acquire, Release), as with
/// any permit. The counts themselves need no more than the order of the word. Model: `adaptive_limit`.
pub(super) struct Counts(AtomicU64);

impl Counts {
    /// Creates the word with `limit` moved into the range from `min` to `max`, which the caller has
    /// checked.
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
        // Relaxed: this reading is for people and orders nothing.
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
        // Relaxed: the reader is the thread that computes the next limit. Only that thread changes the
        // limit, apart from a change of the range.
        Word(self.0.load(Ordering::Relaxed)).limit()
    }

    /// Enters, unless the part of the limit that the message may use is full. Returns how many are in
    /// flight then, or how many may be in flight as an error.
    #[inline]
    pub(super) fn try_enter(&self, sixteenths: u64) -> Result<u64, u64> {
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            let word = Word(before);
            if word.in_flight() >= word.share(sixteenths) {
                return Err(word.share(sixteenths));
            }
            // A dispatch enters only below the limit, because adding to a full word would overflow.
            let after = before + IN_FLIGHT;
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

    /// Sets the limit to `limit`, or to the nearest value of the range.
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
        // Relaxed: this change orders nothing, and the dispatches that left before keep their Release.
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

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// The four counts as plain numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Plain {
        in_flight: u64,
        limit: u64,
        min: u64,
        max: u64,
    }

    impl Plain {
        fn counts(self) -> Counts {
            let word = self.in_flight + (self.limit << 16) + (self.min << 32) + (self.max << 48);
            Counts(AtomicU64::new(word))
        }

        fn of(counts: &Counts) -> Self {
            let usage = counts.read();
            Self {
                in_flight: usage.in_flight as u64,
                limit: usage.limit as u64,
                min: usage.min as u64,
                max: usage.max as u64,
            }
        }

        fn does<R>(self, step: impl FnOnce(&Counts) -> R) -> (R, Self) {
            let counts = self.counts();
            (step(&counts), Self::of(&counts))
        }

        fn enters(self, sixteenths: u64) -> Self {
            // Rounds up, because a part of a limit is at least one.
            let share = (self.limit * sixteenths).div_ceil(16);
            let in_flight = self.in_flight + 1;
            let expected = match self.in_flight < share {
                true => (Ok(in_flight), Self { in_flight, ..self }),
                false => (Err(share), self),
            };
            let done = self.does(|counts| counts.try_enter(sixteenths));
            assert_eq!(done, expected, "{self:?}, {sixteenths}");
            done.1
        }

        fn leaves(self) -> Self {
            let ((), after) = self.does(Counts::leave);
            let in_flight = self.in_flight - 1;
            assert_eq!(after, Self { in_flight, ..self });
            after
        }

        fn is_limited(self, limit: u64) -> Self {
            let ((), after) = self.does(|counts| counts.set_limit(limit));
            let limit = limit.max(self.min).min(self.max);
            assert_eq!(after, Self { limit, ..self });
            after
        }

        fn is_ranged(self, min: u64, max: u64) -> Self {
            let set = |counts: &Counts| counts.set_range(min as usize, max as usize);
            let (done, after) = self.does(set);
            assert_eq!(done, Ok(()));
            let limit = self.limit.max(min).min(max);
            let in_flight = self.in_flight;
            let expected = Self {
                in_flight,
                limit,
                min,
                max,
            };
            assert_eq!(after, expected, "{self:?}");
            after
        }

        fn steps(self, limits: &[u64], ranges: &[(u64, u64)]) -> Vec<Self> {
            let mut after: Vec<_> = [1, 8, 15, 16].map(|part| self.enters(part)).into();
            after.extend(limits.iter().map(|limit| self.is_limited(*limit)));
            after.extend(ranges.iter().map(|(min, max)| self.is_ranged(*min, *max)));
            if self.in_flight > 0 {
                after.push(self.leaves());
            }
            after
        }
    }

    fn plain(in_flight: u64, limit: u64) -> Plain {
        Plain {
            in_flight,
            limit,
            min: 1,
            max: LARGEST,
        }
    }

    #[test]
    fn each_transition_changes_the_counts_that_it_is_about_and_no_other() {
        let ranges = [(1, 4), (2, 3), (3, 6), (6, 6)];
        let steps = |state: &Plain| state.steps(&[0, 1, 2, 3, 5, 9], &ranges);
        let (states, all) = reach(vec![plain(0, 1).is_ranged(1, 4)], 100, steps);
        assert!(all && states > 70, "{states}");
    }

    #[test]
    fn full_counts_spill_nowhere() {
        let most = LARGEST;
        let in_flight = [0, 1, most - 1, most];
        let starts = in_flight.map(|in_flight| [plain(in_flight, most), plain(in_flight, 1)]);
        let ranges = [(1, most), (most, most)];
        let steps = |state: &Plain| state.steps(&[0, most - 1, most, u64::MAX], &ranges);
        let (states, _) = reach(starts.concat(), 6, steps);
        assert!(states > 50, "{states}");
    }
}
