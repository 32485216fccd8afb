//! [`Bucket`] and [`Limits`]: the two words of a rate limit, and the one place that computes with them.

use super::rate::Packed;
use crate::sync::{AtomicU64, Ordering};

/// The rate in force and the longest wait.
///
/// Relaxed: the rate is one word, and each change of the rate is followed by a change of the bucket
/// ([`Bucket::settle`]), a Release. A taker acquires that change of the bucket before reading the rate.
/// Model: `rate_limit`.
#[derive(Debug)]
pub(super) struct Limits {
    rate: AtomicU64,
    /// The longest wait for a reservation, in nanoseconds.
    patience: u64,
}

impl Limits {
    pub(super) fn new(rate: Packed) -> Self {
        Self {
            rate: AtomicU64::new(rate.bits()),
            patience: 0,
        }
    }

    pub(super) fn wait_at_most(mut self, patience: u64) -> Self {
        self.patience = patience;
        self
    }

    #[inline]
    pub(super) fn get(&self) -> Packed {
        Packed::from_bits(self.rate.load(Ordering::Relaxed))
    }

    /// Sets the rate. The caller must settle every bucket of these limits next.
    pub(super) fn set(&self, rate: Packed) {
        self.rate.store(rate.bits(), Ordering::Relaxed);
    }

    pub(super) fn patience(&self) -> u64 {
        self.patience
    }

    /// Returns the largest number of nanoseconds that a bucket can miss at any time.
    pub(super) fn most_missing(&self) -> u64 {
        self.get().fill().saturating_add(self.patience)
    }

    /// Returns true if the wait would be longer than the time to fill an empty bucket and to serve all
    /// reservations. Then the bucket was used at a later time than the caller's.
    #[cold]
    pub(super) fn is_of_later(&self, short: Short) -> bool {
        short != Short::NEVER && short.0 > self.most_missing()
    }
}

/// The tokens taken, as the tick at which they will have come in again, the theoretical arrival time. A
/// bucket is full if its tick has passed, or if the bucket was never used.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

/// The tokens that [`Bucket::take`] took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// The wait for the tokens in nanoseconds, and the tick at which the wait ends.
    pub(super) wait: u64,
    pub(super) due: u64,
    /// The new tick of the bucket, and the distance by which that tick was moved.
    pub(super) tick: u64,
    pub(super) cost: u64,
}

/// The nanoseconds until as many tokens could be taken, or [`NEVER`](Self::NEVER) if they are more than
/// a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short(pub(super) u64);

impl Short {
    pub(super) const NEVER: Self = Self(u64::MAX);
}

impl Bucket {
    /// Takes `count` tokens at the tick `now`, all or none, if they are there within `patience`.
    ///
    /// Takes one load and, if there are enough tokens, one compare-and-swap. The limits are read after
    /// the load. They still hold when the swap succeeds, because a change of the limits also changes the
    /// bucket.
    #[inline]
    pub(super) fn take(
        &self,
        limits: &Limits,
        now: u64,
        count: u32,
        patience: u64,
    ) -> Result<Taken, Short> {
        // Acquire: pairs with the Release of `settle`. Model: `rate_limit`.
        let mut tick = self.0.load(Ordering::Acquire);
        loop {
            let taken = draw(limits.get(), tick, now, count, patience)?;
            // Relaxed on success: only the word itself is published, and the swap continues the release
            // sequence of `settle`. Acquire on failure: pairs with the Release of `settle`, as the load
            // does.
            match self.0.compare_exchange_weak(
                tick,
                taken.tick,
                Ordering::Relaxed,
                Ordering::Acquire,
            ) {
                Ok(_) => return Ok(taken),
                Err(newer) => tick = newer,
            }
        }
    }

    /// Puts the tokens back, unless more were taken since. In that case later takers have been told
    /// their times, and the tokens are lost.
    pub(super) fn put_back(&self, taken: Taken) {
        let before = taken.tick - taken.cost;
        // Relaxed: only the word itself is published, as in `take`. Model: `rate_limit`.
        let _ = self
            .0
            .compare_exchange(taken.tick, before, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Puts back the tokens at the tick `now`, even if others have taken since. Only tokens that have
    /// not come in again yet are put back. Call this only where no message waits for a reservation,
    /// because waiters know their times.
    pub(super) fn give_back(&self, taken: Taken, now: u64) {
        let credit = taken.cost.min(taken.tick.saturating_sub(now));
        let mut tick = self.0.load(Ordering::Relaxed);
        // A bucket below that tick was settled since.
        while tick >= taken.tick && !self.lower(tick, credit) {
            tick = self.0.load(Ordering::Relaxed);
        }
    }

    /// Lowers the bucket by `by` nanoseconds if the bucket is still set to `tick`.
    pub(super) fn lower(&self, tick: u64, by: u64) -> bool {
        // Relaxed: only the word itself is published, as in `take`. Model: `rate_limit`.
        self.0
            .compare_exchange(tick, tick - by, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// Lowers the bucket so that at most `most` nanoseconds are missing at the tick `now`. More are
    /// missing where the bucket was used at a later time, before a clock was set back.
    #[cold]
    pub(super) fn set_back(&self, now: u64, most: u64) {
        let mut tick = self.0.load(Ordering::Relaxed);
        while tick.saturating_sub(now) > most && !self.lower(tick, tick - now - most) {
            tick = self.0.load(Ordering::Relaxed);
        }
    }

    /// Returns the nanoseconds until the bucket is full.
    pub(super) fn missing(&self, now: u64) -> u64 {
        // Relaxed: the word is read alone.
        self.0.load(Ordering::Relaxed).saturating_sub(now)
    }

    /// Ends a change of the limits at the tick `now`, so that at most `most` nanoseconds stay missing.
    ///
    /// Always changes the word, by one nanosecond at least. A taker that has read the old limits and has
    /// not taken yet must find the change, and begin again.
    pub(super) fn settle(&self, now: u64, most: u64) {
        let latest = now.saturating_add(most);
        let settled = |tick: u64| tick.checked_sub(1).map_or(1, |less| less.min(latest));
        let mut tick = self.0.load(Ordering::Relaxed);
        // Release: pairs with the Acquire of `take`, so that a taker that finds the bucket changed reads
        // the new limits. This loop reads nothing but the word itself. Model: `rate_limit`.
        while let Err(newer) =
            self.0
                .compare_exchange_weak(tick, settled(tick), Ordering::Release, Ordering::Relaxed)
        {
            tick = newer;
        }
    }
}

/// Computes a take without wrapping. A rate in range costs at most a hundred years, and sums with the
/// time of a clock saturate or are checked.
#[inline]
fn draw(rate: Packed, tick: u64, now: u64, count: u32, patience: u64) -> Result<Taken, Short> {
    if count > rate.burst() {
        return Err(Short::NEVER);
    }
    let cost = rate.interval() * u64::from(count);
    // A clock that is behind another one finds more missing, and so takes less.
    let missing = tick.saturating_sub(now).saturating_add(cost);
    let wait = missing.saturating_sub(rate.fill());
    if wait > patience {
        return Err(Short(wait));
    }
    match tick.max(now).checked_add(cost) {
        Some(tick) => Ok(Taken {
            wait,
            due: now.saturating_add(wait),
            tick,
            cost,
        }),
        // The tick would lie beyond the end of time.
        None => Err(Short::NEVER),
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// Nanoseconds for a token, and the tokens of a burst.
    const INTERVAL: u64 = 3;
    const BURST: u64 = 2;

    /// A debt in nanoseconds at a tick, paid off as time passes.
    #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
    struct Plain {
        debt: u64,
        now: u64,
    }

    impl Plain {
        fn bucket(self) -> Bucket {
            Bucket(AtomicU64::new(self.now + self.debt))
        }

        fn takes(self, count: u32, patience: u64) -> (Result<u64, Short>, Self) {
            let cost = u64::from(count) * INTERVAL;
            if u64::from(count) > BURST {
                return (Err(Short::NEVER), self);
            }
            let debt = self.debt + cost;
            let wait = debt.saturating_sub(BURST * INTERVAL);
            if wait > patience {
                return (Err(Short(wait)), self);
            }
            match self.now.checked_add(debt) {
                Some(_) => (Ok(wait), Self { debt, ..self }),
                None => (Err(Short::NEVER), self),
            }
        }

        fn agrees(self, bucket: &Bucket) -> Self {
            assert_eq!(bucket.missing(self.now), self.debt, "{self:?}");
            self
        }

        /// Takes tokens, and gives them back in both ways.
        fn after_a_take(self, count: u32, patience: u64, after: &mut Vec<Self>) {
            let limits = Limits::new(Packed::from_bits(INTERVAL | BURST << 32));
            let (expected, taken) = self.takes(count, patience);
            let takes = || {
                let bucket = self.bucket();
                let done = bucket.take(&limits, self.now, count, patience);
                assert_eq!(done.map(|taken| taken.wait), expected, "{self:?}, {count}");
                (bucket, done.ok())
            };
            let (bucket, _) = takes();
            after.push(taken.agrees(&bucket));
            if let (bucket, Some(taken)) = takes() {
                bucket.put_back(taken);
                self.agrees(&bucket);
            }
            if let (bucket, Some(taken)) = takes() {
                bucket.give_back(taken, self.now);
                self.agrees(&bucket);
            }
        }

        fn steps(self, ages: &[u64]) -> Vec<Self> {
            let mut after = Vec::new();
            for count in 0..=3 {
                for patience in [0, 1, 4] {
                    self.after_a_take(count, patience, &mut after);
                }
            }
            for age in ages {
                let now = self.now.saturating_add(*age);
                let debt = (self.now + self.debt).saturating_sub(now);
                after.push(Self { debt, now }.agrees(&self.bucket()));
            }
            let bucket = self.bucket();
            bucket.settle(self.now, 4);
            let debt = match self.debt {
                0 => u64::from(self.now == 0),
                debt => (debt - 1).min(4),
            };
            after.push(Self { debt, ..self }.agrees(&bucket));
            let bucket = self.bucket();
            bucket.set_back(self.now, 2);
            let debt = self.debt.min(2);
            after.push(Self { debt, ..self }.agrees(&bucket));
            after
        }
    }

    #[test]
    fn tokens_are_a_debt_that_time_pays_off() {
        let start = Plain { debt: 0, now: 100 };
        let (states, _) = reach(vec![start], 6, |state| state.steps(&[1, 2, 5]));
        assert!(states > 100, "{states}");
    }

    #[test]
    fn at_the_beginning_and_the_end_of_time_nothing_wraps() {
        let early = Plain { debt: 0, now: 0 };
        let late = [0, 1, 5, 6, 7, 12].map(|before| Plain {
            debt: 0,
            now: u64::MAX - before,
        });
        let starts = [vec![early], late.to_vec()].concat();
        let (states, _) = reach(starts, 5, |state| state.steps(&[0, 1, 3]));
        assert!(states > 50, "{states}");
    }
}
