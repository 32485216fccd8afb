//! [`Bucket`] and [`Limits`]: the two words of a rate limit, and the one place where it is computed.

use super::rate::Packed;
use crate::sync::{AtomicU64, Ordering};

/// The rate in force.
///
/// Relaxed: it is one word, and a change of it is followed by a change of the bucket
/// ([`Bucket::settle`]), a Release; who takes from the bucket acquires that before it reads the rate.
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

    /// Every bucket of these limits must be settled next.
    pub(super) fn set(&self, rate: Packed) {
        self.rate.store(rate.bits(), Ordering::Relaxed);
    }

    pub(super) fn patience(&self) -> u64 {
        self.patience
    }

    /// The most nanoseconds that a bucket can miss at any time.
    pub(super) fn most_missing(&self) -> u64 {
        self.get().fill().saturating_add(self.patience)
    }

    /// Whether it would take longer than it takes an empty bucket to fill, after all reservations: then
    /// the bucket was used at a later time than that of who asks.
    #[cold]
    pub(super) fn is_of_later(&self, short: Short) -> bool {
        short != Short::NEVER && short.0 > self.most_missing()
    }
}

/// What has been taken, as the tick at which it will have come in again: the theoretical arrival time.
/// A bucket whose tick has passed is full; one that never was used, too.
#[derive(Debug, Default)]
pub(super) struct Bucket(AtomicU64);

/// What [`Bucket::take`] took.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Taken {
    /// How long to wait for it, in nanoseconds, and until when.
    pub(super) wait: u64,
    pub(super) due: u64,
    /// What the bucket was set to, and by how much that was moved.
    pub(super) tick: u64,
    pub(super) cost: u64,
}

/// After how many nanoseconds as much could be taken. [`NEVER`](Self::NEVER): it is more than a burst.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Short(pub(super) u64);

impl Short {
    pub(super) const NEVER: Self = Self(u64::MAX);
}

impl Bucket {
    /// Takes `count` tokens at the tick `now`, all or none, if they are there within `patience`.
    ///
    /// One load and, if there are enough, one compare-and-swap. The limits are read after the load:
    /// what the swap does then was computed by limits that held when it is done, for a change of
    /// them changes the bucket.
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
            // Relaxed when it succeeds: nothing is published but the word itself, and it continues
            // the release sequence of `settle`. Acquire when it fails: as above.
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

    /// Puts back what was taken, unless more was taken since: then those who came later have been
    /// told their times, and it is lost.
    pub(super) fn put_back(&self, taken: Taken) {
        let before = taken.tick - taken.cost;
        // Relaxed: as in `take`. Model: `rate_limit`.
        let _ = self
            .0
            .compare_exchange(taken.tick, before, Ordering::Relaxed, Ordering::Relaxed);
    }

    /// Puts back what was taken, at the tick `now`, whoever has taken since: of what was taken, as much as
    /// has not come in again. Only where nobody waits for a reservation: those have been told their times.
    pub(super) fn give_back(&self, taken: Taken, now: u64) {
        let credit = taken.cost.min(taken.tick.saturating_sub(now));
        let mut tick = self.0.load(Ordering::Relaxed);
        // A bucket below that was settled since.
        while tick >= taken.tick && !self.lower(tick, credit) {
            tick = self.0.load(Ordering::Relaxed);
        }
    }

    /// Lowers it by so much if it is still set to `tick`.
    pub(super) fn lower(&self, tick: u64, by: u64) -> bool {
        // Relaxed: as in `take`. Model: `rate_limit`.
        self.0
            .compare_exchange(tick, tick - by, Ordering::Relaxed, Ordering::Relaxed)
            .is_ok()
    }

    /// No more than `most` nanoseconds are missing at the tick `now`: more are where it was used at a later
    /// time, before a clock was set back.
    #[cold]
    pub(super) fn set_back(&self, now: u64, most: u64) {
        let mut tick = self.0.load(Ordering::Relaxed);
        while tick.saturating_sub(now) > most && !self.lower(tick, tick - now - most) {
            tick = self.0.load(Ordering::Relaxed);
        }
    }

    /// The nanoseconds until it is full.
    pub(super) fn missing(&self, now: u64) -> u64 {
        // Relaxed: read alone.
        self.0.load(Ordering::Relaxed).saturating_sub(now)
    }

    /// Ends a change of the limits at the tick `now`: no more than `most` nanoseconds stay missing.
    ///
    /// Always changes the word, by the one nanosecond that it takes: who has read the old limits and
    /// has not taken yet must find that it did, and begin again.
    pub(super) fn settle(&self, now: u64, most: u64) {
        let latest = now.saturating_add(most);
        let settled = |tick: u64| tick.checked_sub(1).map_or(1, |less| less.min(latest));
        let mut tick = self.0.load(Ordering::Relaxed);
        // Release: pairs with the Acquire of `take`, so that who finds the bucket changed reads the new
        // limits. It reads nothing but the word itself. Model: `rate_limit`.
        while let Err(newer) =
            self.0
                .compare_exchange_weak(tick, settled(tick), Ordering::Release, Ordering::Relaxed)
        {
            tick = newer;
        }
    }
}

/// Nothing here wraps: a rate in range costs at most a hundred years, and sums with what a clock says
/// saturate or are checked.
#[inline]
fn draw(rate: Packed, tick: u64, now: u64, count: u32, patience: u64) -> Result<Taken, Short> {
    if count > rate.burst() {
        return Err(Short::NEVER);
    }
    let cost = rate.interval() * u64::from(count);
    // A clock that is behind another's finds more missing, and so takes less.
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
        // At the end of time.
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

    /// A debt in nanoseconds, paid off as time passes, at a tick.
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

        /// Takes, and gives back what was taken in both ways.
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
