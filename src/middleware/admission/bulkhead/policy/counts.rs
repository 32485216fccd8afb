//! [`Counts`]: the limit, the permits in use and the waiters, in one atomic word.

use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering};

/// A permit in use, counted in the lowest 24 bits.
const IN_USE: u64 = 1;
const MAX_IN_USE: u64 = (1 << 24) - 1;
/// A waiter, counted in the next 16 bits.
const WAITS: u64 = 1 << 24;
const MAX_WAITS: u64 = (1 << 16) - 1;
/// A limit of one, counted in the uppermost 24 bits.
const LIMIT: u64 = 1 << 40;
const MAX_LIMIT: u64 = MAX_IN_USE;

/// The state of a bulkhead at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkheadUsage {
    /// Number of permits that may be in use at once.
    pub limit: usize,
    /// Number of permits in use, which exceeds the limit for a while after the limit was lowered.
    pub in_use: usize,
    /// Number of dispatches that wait for a permit.
    pub waiting: usize,
}

impl BulkheadUsage {
    /// Returns the used part of the limit, where 1.0 is the whole limit.
    #[must_use]
    pub fn utilisation(&self) -> f64 {
        self.in_use as f64 / self.limit as f64
    }
}

pub(super) enum Joined {
    Entered,
    Waits,
    Full,
}

/// A word of three counts that are read and changed together.
#[derive(Clone, Copy)]
struct Word(u64);

impl Word {
    #[inline]
    fn limit(self) -> u64 {
        self.0 / LIMIT
    }

    #[inline]
    fn in_use(self) -> u64 {
        self.0 & MAX_IN_USE
    }

    #[inline]
    fn waiting(self) -> u64 {
        (self.0 / WAITS) & MAX_WAITS
    }

    /// Returns true if a permit is free and no waiter is counted. A single comparison suffices: with a
    /// waiter, the bits below the limit are more than any limit.
    #[inline]
    fn is_open(self) -> bool {
        self.0 % LIMIT < self.limit()
    }

    /// Returns true if a permit is free.
    fn has_permit(self) -> bool {
        self.in_use() < self.limit()
    }

    fn with_limit(self, limit: u64) -> Self {
        Self(self.0 % LIMIT + limit * LIMIT)
    }
}

/// Orderings: a dispatch that enters synchronises with those that have left (Acquire, Release). The next
/// holder of a permit therefore sees the writes that were made under the permit before. All changes of
/// this one word are read-modify-writes, so the word is one release sequence. The counts themselves need
/// no more than the order of the word. Model: `bulkhead`.
pub(super) struct Counts(AtomicU64);

impl Counts {
    pub(super) fn new(limit: usize) -> Result<Self, InvalidSetting> {
        Self::check_limit(limit)?;
        Ok(Self(AtomicU64::new(limit as u64 * LIMIT)))
    }

    pub(super) fn check_limit(limit: usize) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            (1..=MAX_LIMIT).contains(&(limit as u64)),
            "Bulkhead.limit",
            "from 1 to 16777215",
        )
    }

    pub(super) fn check_queue(len: usize) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            (1..=MAX_WAITS).contains(&(len as u64)),
            "Bulkhead.queue",
            "from 1 to 65535",
        )
    }

    pub(super) fn read(&self) -> BulkheadUsage {
        // Relaxed: this reading is for people and orders nothing.
        let word = Word(self.0.load(Ordering::Relaxed));
        BulkheadUsage {
            limit: word.limit() as usize,
            in_use: word.in_use() as usize,
            waiting: word.waiting() as usize,
        }
    }

    /// Takes a permit, unless none is free or a message waits.
    #[inline]
    pub(super) fn try_enter(&self) -> bool {
        let enter = |word: Word| word.is_open().then(|| word.0 + IN_USE);
        self.change(Ordering::Acquire, enter).is_ok()
    }

    /// Gives a permit back, and returns true if a message waits.
    #[inline]
    pub(super) fn leave(&self) -> bool {
        Word(self.0.fetch_sub(IN_USE, Ordering::Release)).waiting() > 0
    }

    /// Takes a permit that became free meanwhile, or else counts a further waiter. The caller holds the
    /// lock of the queue.
    pub(super) fn enter_or_wait(&self, has_room: bool) -> Joined {
        let join = |word: Word| match word.is_open() {
            true => Some(word.0 + IN_USE),
            false => has_room.then(|| word.0 + WAITS),
        };
        match self.change(Ordering::Acquire, join) {
            Ok(before) if before.is_open() => Joined::Entered,
            Ok(_) => Joined::Waits,
            Err(_) => Joined::Full,
        }
    }

    /// Makes a waiter the holder of a permit, if a permit is free. The caller holds the lock of the
    /// queue, which is not empty.
    pub(super) fn hand_over(&self) -> bool {
        let hand = |word: Word| word.has_permit().then(|| word.0 + IN_USE - WAITS);
        // Acquire: on behalf of the waiter, which receives the permit through the lock.
        self.change(Ordering::Acquire, hand).is_ok()
    }

    /// Counts one waiter less after the waiter has left the queue. The caller holds the lock of the queue.
    pub(super) fn wait_no_more(&self) {
        self.0.fetch_sub(WAITS, Ordering::Relaxed);
    }

    /// Sets the limit, and returns true if a message waits.
    pub(super) fn set_limit(&self, limit: usize) -> Result<bool, InvalidSetting> {
        Self::check_limit(limit)?;
        let set = |word: Word| Some(word.with_limit(limit as u64).0);
        let before = self.change(Ordering::Relaxed, set);
        Ok(before.is_ok_and(|before| before.waiting() > 0))
    }

    /// Replaces the word by the result of `to`, and returns the earlier word. Returns that word as an
    /// error if `to` gives no new word.
    #[inline]
    fn change(&self, success: Ordering, to: impl Fn(Word) -> Option<u64>) -> Result<Word, Word> {
        let mut before = self.0.load(Ordering::Relaxed);
        loop {
            let Some(after) = to(Word(before)) else {
                return Err(Word(before));
            };
            let changed = self
                .0
                .compare_exchange_weak(before, after, success, Ordering::Relaxed);
            match changed {
                Ok(_) => return Ok(Word(before)),
                Err(now) => before = now,
            }
        }
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// The three counts as plain numbers.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Plain {
        in_use: u64,
        waiting: u64,
        limit: u64,
    }

    impl Plain {
        fn counts(self) -> Counts {
            let word = self.in_use + (self.waiting << 24) + (self.limit << 40);
            Counts(AtomicU64::new(word))
        }

        fn of(counts: &Counts) -> Self {
            let usage = counts.read();
            let [in_use, waiting, limit] =
                [usage.in_use, usage.waiting, usage.limit].map(|count| count as u64);
            Self {
                in_use,
                waiting,
                limit,
            }
        }

        fn is_open(self) -> bool {
            self.waiting == 0 && self.in_use < self.limit
        }

        /// Adds to the permits and to the waiters.
        fn plus(self, in_use: i64, waiting: i64) -> Self {
            Self {
                in_use: self.in_use.checked_add_signed(in_use).expect("a permit"),
                waiting: self.waiting.checked_add_signed(waiting).expect("a waiter"),
                ..self
            }
        }

        /// Runs `step` on the word, and returns its result and the counts after the step.
        fn does<R>(self, step: impl FnOnce(&Counts) -> R) -> (R, Self) {
            let counts = self.counts();
            (step(&counts), Self::of(&counts))
        }

        fn enters(self) -> Self {
            let expected = match self.is_open() {
                true => (true, self.plus(1, 0)),
                false => (false, self),
            };
            let done = self.does(Counts::try_enter);
            assert_eq!(done, expected, "{self:?}");
            done.1
        }

        fn joins(self, has_room: bool) -> Self {
            let expected = match (self.is_open(), has_room) {
                (true, _) => self.plus(1, 0),
                (false, true) => self.plus(0, 1),
                (false, false) => self,
            };
            let (joined, after) = self.does(|counts| counts.enter_or_wait(has_room));
            assert_eq!(after, expected, "{self:?}");
            assert_eq!(matches!(joined, Joined::Entered), self.is_open());
            assert_eq!(matches!(joined, Joined::Full), after == self);
            after
        }

        fn leaves(self) -> Self {
            let done = self.does(Counts::leave);
            assert_eq!(done, (self.waiting > 0, self.plus(-1, 0)), "{self:?}");
            done.1
        }

        fn hands_over(self) -> Self {
            let expected = match self.in_use < self.limit {
                true => (true, self.plus(1, -1)),
                false => (false, self),
            };
            let done = self.does(Counts::hand_over);
            assert_eq!(done, expected, "{self:?}");
            done.1
        }

        fn waits_no_more(self) -> Self {
            let ((), after) = self.does(Counts::wait_no_more);
            assert_eq!(after, self.plus(0, -1), "{self:?}");
            after
        }

        fn is_limited(self, limit: u64) -> Self {
            let expected = (self.waiting > 0, Self { limit, ..self });
            let set = |counts: &Counts| counts.set_limit(limit as usize).expect("in range");
            let done = self.does(set);
            assert_eq!(done, expected, "{self:?}");
            done.1
        }

        /// Returns every state that can follow with up to `queue` waiters.
        fn steps(self, queue: u64, limits: &[u64]) -> Vec<Self> {
            let mut after = vec![self.enters(), self.joins(self.waiting < queue)];
            after.extend(limits.iter().map(|limit| self.is_limited(*limit)));
            if self.in_use > 0 {
                after.push(self.leaves());
            }
            if self.waiting > 0 {
                after.extend([self.hands_over(), self.waits_no_more()]);
            }
            after
        }
    }

    #[test]
    fn each_transition_changes_the_counts_that_it_is_about_and_no_other() {
        let start = Plain {
            in_use: 0,
            waiting: 0,
            limit: 1,
        };
        let (states, all) = reach(vec![start], 100, |state| state.steps(3, &[1, 2, 4]));
        assert!(all && states > 50, "{states}");
    }

    #[test]
    fn full_counts_spill_nowhere() {
        let (most, queue) = (MAX_LIMIT, MAX_WAITS);
        let mut starts = Vec::new();
        for in_use in [0, most - 1, most] {
            for waiting in [0, 1, queue - 1, queue] {
                starts.extend([1, most - 1, most].map(|limit| Plain {
                    in_use,
                    waiting,
                    limit,
                }));
            }
        }
        let (states, _) = reach(starts, 6, |state| state.steps(queue, &[1, most]));
        assert!(states > 400, "{states}");
    }
}
