//! [`KeyedRateLimitPolicy`]: one theoretical arrival time a key.

use std::borrow::{Borrow, Cow};
use std::collections::HashMap;
use std::hash::Hash;
use std::time::Duration;

use ahash::RandomState;

use super::super::policy::{next_arrival, words};
use super::super::{NotNow, Quota};
use crate::setting::InvalidSetting;
use crate::sync::{Mutex, Versioned};

/// A rate limit for each key: see [`RateLimitPolicy`](super::super::RateLimitPolicy), which it keeps
/// one word of for each.
///
/// A bounded map in shards, each under a lock of its own, which is held for one lookup. Not a cache:
/// one that forgets a key to make room for another would let it begin anew. A key whose tokens are all
/// there again is no different from a new one, and is dropped when a shard is full; when none of a
/// full shard's keys is, a new key is refused.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::rate_limit::{KeyedRateLimitPolicy, Quota};
///
/// let limit = KeyedRateLimitPolicy::<String>::new(Quota::per_second(1), 1_000)?;
/// let now = Duration::from_secs(5);
/// assert!(limit.check("ada", now).is_ok());
/// assert!(limit.check("ada", now).is_err());
/// assert!(limit.check("bob", now).is_ok());
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
#[derive(Debug)]
pub struct KeyedRateLimitPolicy<K> {
    shards: Box<[Mutex<Shard<K>>]>,
    hasher: RandomState,
    capacity: usize,
    limits: Versioned<2>,
}

#[derive(Debug)]
struct Shard<K> {
    arrivals: HashMap<K, u64, RandomState>,
    capacity: usize,
    /// No key is idle before this tick: looking for one is of no use.
    busy_until: u64,
}

/// So many locks, unless there are fewer keys.
const SHARDS: usize = 64;
/// So many keys a shard must have room for before there is another one.
const LEAST_KEYS: usize = 16;

impl<K: Hash + Eq> KeyedRateLimitPolicy<K> {
    /// At most `capacity` keys at a time that are not idle; shards fill unevenly, so that a few per cent
    /// fewer may be the most. From 1 up.
    ///
    /// # Errors
    ///
    /// If the quota or the capacity is out of range.
    pub fn new(quota: Quota, capacity: usize) -> Result<Self, InvalidSetting> {
        let limits = Versioned::new(words(quota)?);
        InvalidSetting::unless(capacity > 0, "KeyedRateLimit.capacity", "at least 1")?;
        let shards = (capacity / LEAST_KEYS).clamp(1, SHARDS);
        let shard = || Mutex::new(Shard::new(capacity.div_ceil(shards)));
        Ok(Self {
            shards: (0..shards).map(|_| shard()).collect(),
            hasher: RandomState::new(),
            capacity,
            limits,
        })
    }

    /// Takes a token of `key`.
    ///
    /// # Errors
    ///
    /// If there is none, or no room for another key.
    pub fn check<Q>(&self, key: &Q, now: Duration) -> Result<(), NotNow>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let wait = |wait| NotNow::After(Duration::from_nanos(wait));
        self.check_at(Cow::Borrowed(key), now).map_err(wait)
    }

    /// How many keys there are, idle ones that were not dropped yet included.
    #[must_use]
    pub fn len(&self) -> usize {
        let lens = self.shards.iter().map(|shard| shard.lock().arrivals.len());
        lens.sum()
    }

    /// Whether there is no key.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// How many keys there may be.
    #[must_use]
    pub fn capacity(&self) -> usize {
        self.capacity
    }

    /// Changes the quota of all keys: rate and burst at once.
    ///
    /// # Errors
    ///
    /// If the quota is out of range; then nothing changed.
    pub fn set_quota(&self, quota: Quota) -> Result<(), InvalidSetting> {
        let words = words(quota)?;
        self.limits.update(|_| words);
        Ok(())
    }

    /// Takes a token of `key` at a tick, or says in how many nanoseconds to come again.
    pub(crate) fn check_at<Q>(&self, key: Cow<'_, Q>, now: u64) -> Result<(), u64>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let [interval, tolerance] = self.limits.read();
        let latest = now.saturating_add(tolerance);
        let mut shard = self.shard(&*key).lock();
        if let Some(arrival) = shard.arrivals.get_mut(&*key) {
            *arrival =
                next_arrival(*arrival, interval, now, latest).map_err(|next| next - latest)?;
            return Ok(());
        }
        shard.make_room(now)?;
        shard
            .arrivals
            .insert(key.into_owned(), now.saturating_add(interval));
        Ok(())
    }

    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Mutex<Shard<K>> {
        let hash = self.hasher.hash_one(key) as usize;
        &self.shards[hash % self.shards.len()]
    }
}

impl<K: Hash + Eq> Shard<K> {
    fn new(capacity: usize) -> Self {
        Self {
            arrivals: HashMap::default(),
            capacity,
            busy_until: 0,
        }
    }

    /// Drops what is idle, if there is no room; says in how many nanoseconds there may be some.
    fn make_room(&mut self, now: u64) -> Result<(), u64> {
        if self.arrivals.len() >= self.capacity && self.busy_until <= now {
            self.arrivals.retain(|_, arrival| *arrival > now);
            self.busy_until = self.arrivals.values().copied().min().unwrap_or(0);
        }
        if self.arrivals.len() < self.capacity {
            Ok(())
        } else {
            Err(self.busy_until - now)
        }
    }
}
