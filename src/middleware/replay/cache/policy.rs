//! [`Shelf`]: the kept values, and the times for which they are kept.

use std::cell::RefCell;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use ahash::RandomState;
use quick_cache::sync::Cache;
use quick_cache::{Equivalent, Lifecycle, OptionsBuilder, UnitWeighter};
use smallvec::SmallVec;

use crate::random::Random;
use crate::sync::PlainArc;
use crate::sync::drop_caught;

/// The times for which a value is kept, in nanoseconds.
#[derive(Clone, Copy)]
pub(super) struct Terms {
    pub(super) ttl: u64,
    pub(super) error_ttl: u64,
    /// The time after `ttl` in which a reply, but no error, may be given in need.
    pub(super) stale: u64,
    /// The largest part by which a time is shortened, from 0 to 1.
    pub(super) jitter: f64,
}

/// Values under their keys, each with the tick at which it expires. The shelf reads no clock, and callers
/// pass the time.
///
/// quick_cache evicts values by a modified Clock-PRO, which S3-FIFO resembles. A scan of keys that come once
/// does not drive out keys that come often.
///
/// Keys and values are shared, so that no value of user code is copied or dropped under quick_cache's locks.
/// The `Hash` and `Eq` of a key run under these locks.
pub(super) struct Shelf<I, T> {
    kept: Cache<PlainArc<I>, PlainArc<Kept<T>>, UnitWeighter, RandomState, Collects>,
    terms: Terms,
    random: Random,
}

/// A value with its times, shared by the shelf and the dispatches that get the value.
pub(super) struct Kept<T> {
    value: T,
    /// The tick at which the value was kept, and the nanoseconds for which it is fresh, and may be given.
    since: u64,
    fresh_for: u64,
    given_for: u64,
}

impl<T> Kept<T> {
    /// Creates a value that goes to the waiters, and on no shelf.
    pub(super) fn passed_on(value: T) -> Self {
        Self {
            value,
            since: 0,
            fresh_for: 0,
            given_for: 0,
        }
    }

    /// Returns the value of a share, and copies the value unless this share is the only one.
    pub(super) fn give(share: PlainArc<Self>) -> T
    where
        T: Clone,
    {
        match PlainArc::try_unwrap(share) {
            Ok(kept) => kept.value,
            Err(shared) => shared.value.clone(),
        }
    }

    /// Returns the age of the value at `now`. A value that was kept later than `now` counts as older than all
    /// others, because nobody knows how far a clock was set back.
    #[inline(always)]
    fn age(&self, now: u64) -> u64 {
        now.wrapping_sub(self.since)
    }
}

/// The nanoseconds by which the counters of two processors may differ.
const SKEW: u64 = 1_000;

/// The result of a search for a key.
pub(super) enum Found<T> {
    Fresh(PlainArc<Kept<T>>),
    /// The value has expired, but may be given in need.
    Stale(PlainArc<Kept<T>>),
    Nothing,
}

/// Values taken off a shelf, to be dropped outside all locks.
#[must_use = "what was taken off is code of others when it is dropped: not under a lock"]
pub(super) struct Removed<I, T>(SmallVec<[Entry<I, T>; 2]>);

type Entry<I, T> = (PlainArc<I>, PlainArc<Kept<T>>);

/// Collects the values that an insertion drives out.
#[derive(Clone)]
struct Collects;

impl<I, T> Lifecycle<PlainArc<I>, PlainArc<Kept<T>>> for Collects {
    type RequestState = SmallVec<[Entry<I, T>; 2]>;

    fn on_evict(&self, state: &mut Self::RequestState, id: PlainArc<I>, kept: PlainArc<Kept<T>>) {
        state.push((id, kept));
    }
}

impl<I: Hash + Eq, T> Shelf<I, T> {
    pub(super) fn new(capacity: usize, terms: Terms) -> Self {
        let options = OptionsBuilder::new()
            .estimated_items_capacity(capacity)
            .weight_capacity(capacity as u64)
            .build();
        Self {
            kept: Cache::with_options(
                options.expect("both capacities are given"),
                UnitWeighter,
                RandomState::new(),
                Collects,
            ),
            terms,
            random: Random::seeded_by_process(),
        }
    }

    /// Returns a copy of the fresh value under `id`, on the hot path. Calls `now` only if a value is there.
    #[inline(always)]
    pub(super) fn fresh<Q>(&self, id: &Q, now: impl FnOnce() -> u64) -> Option<T>
    where
        Q: Hash + Equivalent<PlainArc<I>>,
        T: Clone,
    {
        let kept = self.kept.get(id)?;
        (kept.age(now()) < kept.fresh_for).then(|| kept.value.clone())
    }

    /// Finds the value under `id`. If the value was kept after `tick`, then `now` reads the clock again.
    pub(super) fn find(&self, id: &PlainArc<I>, tick: u64, now: impl FnOnce() -> u64) -> Found<T> {
        let Some(kept) = self.kept.peek(id) else {
            return Found::Nothing;
        };
        let age = match tick < kept.since {
            true => kept.age(now().saturating_add(SKEW)),
            false => kept.age(tick),
        };
        if age < kept.fresh_for {
            Found::Fresh(kept)
        } else if age < kept.given_for {
            Found::Stale(kept)
        } else {
            Found::Nothing
        }
    }

    /// Creates a value with the times that this shelf grants from `now` on.
    pub(super) fn timed(&self, value: T, is_reply: bool, now: u64) -> Kept<T> {
        let (ttl, stale) = match is_reply {
            true => (self.terms.ttl, self.terms.stale),
            false => (self.terms.error_ttl, 0),
        };
        let fresh_for = self.shortened(ttl);
        Kept {
            value,
            since: now,
            fresh_for,
            given_for: fresh_for.saturating_add(stale),
        }
    }

    pub(super) fn put(&self, id: PlainArc<I>, kept: PlainArc<Kept<T>>) -> Removed<I, T> {
        let mut removed = SmallVec::new();
        self.kept.insert_with_lifecycle(id, kept, &mut removed);
        Removed(removed)
    }

    /// Shortens `ttl` by a random part, so that values kept at one moment expire at different moments.
    fn shortened(&self, ttl: u64) -> u64 {
        if self.terms.jitter == 0.0 {
            return ttl;
        }
        let part = self.terms.jitter * self.random.unit();
        ttl - (ttl as f64 * part) as u64
    }

    pub(super) fn remove(&self, id: &PlainArc<I>) -> Removed<I, T> {
        Removed(self.kept.remove(id).into_iter().collect())
    }

    /// Takes all values off, and drops each outside the locks. A drop that panics leaves no other value on
    /// the shelf.
    pub(super) fn clear(&self) {
        self.kept.drain().for_each(|it| drop_caught(|| drop(it)));
    }

    /// Returns all keys.
    pub(super) fn ids(&self) -> Vec<PlainArc<I>> {
        let ids = RefCell::new(Vec::new());
        // `retain` is the only way to see the keys without sharing the values under them.
        self.kept.retain(|id, _| {
            ids.borrow_mut().push(PlainArc::clone(id));
            true
        });
        ids.into_inner()
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }
}

impl<I: Eq, T> Removed<I, T> {
    /// Returns the number of values under keys other than `id`.
    pub(super) fn others_than(&self, id: &I) -> usize {
        self.0.iter().filter(|(other, _)| **other != *id).count()
    }
}

impl<I, T> fmt::Debug for Shelf<I, T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let times = [self.terms.ttl, self.terms.error_ttl, self.terms.stale];
        let [ttl, error_ttl, stale] = times.map(Duration::from_nanos);
        f.debug_struct("Shelf")
            .field("ttl", &ttl)
            .field("error_ttl", &error_ttl)
            .field("stale", &stale)
            .field("jitter", &self.terms.jitter)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_kept_later_than_now_is_not_given() {
        let terms = Terms {
            ttl: 10_000,
            error_ttl: 10_000,
            stale: 5_000,
            jitter: 0.0,
        };
        let shelf = Shelf::new(8, terms);
        let kept_at = 1_000_000;
        let key = PlainArc::new("key");
        let kept = PlainArc::new(shelf.timed(7, true, kept_at));
        let _ = shelf.put(PlainArc::clone(&key), kept);
        assert_eq!(shelf.fresh(&key, || kept_at), Some(7));
        assert_eq!(shelf.fresh(&key, || kept_at + 9_999), Some(7));
        assert_eq!(shelf.fresh(&key, || kept_at + 10_000), None);
        assert_eq!(shelf.fresh(&key, || kept_at - 50_000), None, "set back");
        let find = |tick, now| match shelf.find(&key, tick, || now) {
            Found::Fresh(_) => "fresh",
            Found::Stale(_) => "stale",
            Found::Nothing => "nothing",
        };
        assert_eq!(find(kept_at - 50_000, kept_at - 50_000), "nothing");
        // A dispatch that read the clock before the value was kept reads the clock again.
        assert_eq!(find(kept_at - 50_000, kept_at + 3), "fresh");
        assert_eq!(find(kept_at - 1, kept_at - 1), "fresh", "two processors");
        assert_eq!(find(kept_at + 12_000, 0), "stale");
        assert_eq!(find(kept_at + 15_000, 0), "nothing");
    }
}
