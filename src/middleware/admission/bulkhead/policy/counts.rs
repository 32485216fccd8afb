//! [`Counts`]: limit, permits in use and waiters, in one atomic word.

use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering};

/// Permits in use: the lowest 24 bits.
const IN_USE: u64 = 1;
const MAX_IN_USE: u64 = (1 << 24) - 1;
/// Waiters: the next 16.
const WAITS: u64 = 1 << 24;
const MAX_WAITS: u64 = (1 << 16) - 1;
/// The limit: the uppermost 24.
const LIMIT: u64 = 1 << 40;
const MAX_LIMIT: u64 = MAX_IN_USE;

/// The state of a bulkhead at one moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct BulkheadUsage {
    /// How many permits may be in use at once.
    pub limit: usize,
    /// How many are: above the limit for a while after it was lowered.
    pub in_use: usize,
    /// How many wait for one.
    pub waiting: usize,
}

impl BulkheadUsage {
    /// The part of the limit that is in use: 1.0 is all of it.
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

/// What a word says of a permit: all three counts are read and changed together.
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

    /// Whether a permit is free that nobody waits for. One comparison: with a waiter, what stands
    /// below the limit is more than any limit.
    #[inline]
    fn is_open(self) -> bool {
        self.0 % LIMIT < self.limit()
    }

    /// Whether a permit is free.
    fn has_permit(self) -> bool {
        self.in_use() < self.limit()
    }

    fn with_limit(self, limit: u64) -> Self {
        Self(self.0 % LIMIT + limit * LIMIT)
    }
}

/// Orderings: who enters synchronises with those who have left (Acquire, Release), so that what was
/// done under a permit is seen by the next that gets it; one word, whose changes are all
/// read-modify-writes, is one release sequence. The counts themselves need no more than the order of
/// the word. Model: `bulkhead`.
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
        // Relaxed: a reading, for people.
        let word = Word(self.0.load(Ordering::Relaxed));
        BulkheadUsage {
            limit: word.limit() as usize,
            in_use: word.in_use() as usize,
            waiting: word.waiting() as usize,
        }
    }

    /// Takes a permit, unless none is free or somebody waits.
    #[inline]
    pub(super) fn try_enter(&self) -> bool {
        let enter = |word: Word| word.is_open().then_some(word.0 + IN_USE);
        self.change(Ordering::Acquire, enter).is_ok()
    }

    /// Gives a permit back; whether somebody waits.
    #[inline]
    pub(super) fn leave(&self) -> bool {
        Word(self.0.fetch_sub(IN_USE, Ordering::Release)).waiting() > 0
    }

    /// Takes a permit that became free meanwhile, or else counts one waiter more. Under the lock of
    /// the queue.
    pub(super) fn enter_or_wait(&self, has_room: bool) -> Joined {
        let join = |word: Word| match word.is_open() {
            true => Some(word.0 + IN_USE),
            false => has_room.then_some(word.0 + WAITS),
        };
        match self.change(Ordering::Acquire, join) {
            Ok(before) if before.is_open() => Joined::Entered,
            Ok(_) => Joined::Waits,
            Err(_) => Joined::Full,
        }
    }

    /// Makes a waiter the holder of a permit, if one is free. Under the lock of the queue, which is
    /// not empty.
    pub(super) fn hand_over(&self) -> bool {
        let hand = |word: Word| word.has_permit().then_some(word.0 + IN_USE - WAITS);
        // Acquire: on behalf of the waiter, who gets it from here through the lock.
        self.change(Ordering::Acquire, hand).is_ok()
    }

    /// A waiter has left the queue. Under its lock.
    pub(super) fn wait_no_more(&self) {
        self.0.fetch_sub(WAITS, Ordering::Relaxed);
    }

    /// Says whether somebody waits.
    pub(super) fn set_limit(&self, limit: usize) -> Result<bool, InvalidSetting> {
        Self::check_limit(limit)?;
        let set = |word: Word| Some(word.with_limit(limit as u64).0);
        let before = self.change(Ordering::Relaxed, set);
        Ok(before.is_ok_and(|before| before.waiting() > 0))
    }

    /// Replaces the word by what `to` makes of it; returns the one before, as an error if there is
    /// nothing to change.
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
