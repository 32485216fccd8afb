//! [`KeyedRateLimitPolicy`]: the limits alone, which can be used without a bus.

use std::borrow::Borrow;
use std::fmt;
use std::hash::Hash;
use std::time::Duration;

use ahash::RandomState;

use super::super::bucket::Limits;
use super::super::policy::Refused;
use super::super::rate::Rate;
use super::shard::{Lack, Shard};
use crate::clock::nanos;
use crate::outcome::Error;
use crate::random::random_state;
use crate::setting::InvalidSetting;

/// The names of the settings.
pub(super) const RATE: [&str; 2] = ["KeyedRateLimit.rate", "KeyedRateLimit.burst"];
const MAX_KEYS: &str = "KeyedRateLimit.max_keys";

/// Least number of keys in a shard, where there are several shards. With this many keys, the first shard
/// to be full is not far from the average.
const KEYS_IN_A_SHARD: usize = 512;
const MOST_SHARDS: usize = 64;

/// A rate for many keys, where each key has its own bucket.
///
/// Each `now` is a time as for a [`RateLimitPolicy`](super::super::RateLimitPolicy).
///
/// The keys stand in a map that is divided into shards, each behind a readers-writer lock. The `Hash`,
/// `Eq` and `Borrow` of a key run under that lock, and must not call the policy. A known key costs a
/// shard's read lock (two locked instructions) and one compare-and-swap, and allocates nothing. A new
/// key takes the write lock of its shard. A cache such as quick_cache would be less code, but evicts the
/// keys that were not used lately. The limit of an active key would be lost with its entry. Here only a
/// key whose bucket is full again makes room.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::rate_limit::{KeyedRateLimitPolicy, Rate};
///
/// let limits = KeyedRateLimitPolicy::<String>::new(Rate::per_second(1), 10_000)?;
/// let now = Duration::from_secs(60);
/// assert!(limits.check("ann", now).is_ok());
/// assert!(limits.check("bob", now).is_ok());
/// assert!(limits.check("ann", now).is_err());
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
pub struct KeyedRateLimitPolicy<K> {
    /// The shards, whose number is a power of two.
    shards: Box<[Shard<K>]>,
    hasher: RandomState,
    limits: Limits,
    max_keys: usize,
}

impl<K: Hash + Eq> KeyedRateLimitPolicy<K> {
    /// Creates a policy without keys, with room for `max_keys`.
    ///
    /// # Errors
    ///
    /// Returns an error if a setting is out of range: `KeyedRateLimit.rate`, `.burst`, or `.max_keys`,
    /// which is at least 1.
    pub fn new(rate: Rate, max_keys: usize) -> Result<Self, InvalidSetting> {
        check(rate, max_keys)?;
        let count = shards(max_keys);
        let hasher = random_state();
        // Rounded down, so that all shards together never have room for more than `max_keys`.
        let shard = || Shard::new(max_keys / count, hasher.clone());
        Ok(Self {
            shards: (0..count).map(|_| shard()).collect(),
            hasher: hasher.clone(),
            limits: Limits::new(rate.pack(RATE)?),
            max_keys,
        })
    }

    /// Takes one token of `key` at `now`. A key that is not known has a full bucket.
    ///
    /// # Errors
    ///
    /// Returns an error if the key has no token, or if there is no room for a new key.
    #[inline]
    pub fn check<Q>(&self, key: &Q, now: Duration) -> Result<(), KeyRefused>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        self.check_n(key, now, 1)
    }

    /// Takes `count` tokens of `key` at `now`, or none.
    ///
    /// # Errors
    ///
    /// Returns an error if the key has too few tokens, or if there is no room for a new key.
    #[inline]
    pub fn check_n<Q>(&self, key: &Q, now: Duration, count: u32) -> Result<(), KeyRefused>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let tick = nanos(now);
        self.check_at(key, tick, count, || tick)
    }

    #[inline]
    pub(super) fn check_at<Q>(
        &self,
        key: &Q,
        tick: u64,
        count: u32,
        now: impl Fn() -> u64,
    ) -> Result<(), KeyRefused>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let shard = self.shard(key);
        let taken = match shard.take(&self.limits, key, tick, count) {
            Err(Lack::Token(short)) if self.limits.is_of_later(short) => {
                let now = now();
                shard.set_back(&self.limits, key, now);
                shard.take(&self.limits, key, now, count)
            }
            taken => taken,
        };
        match taken {
            Ok(_) => Ok(()),
            Err(Lack::Token(short)) => Err(KeyRefused::Limited(Refused::new(short))),
            Err(Lack::Room) => Err(KeyRefused::Full {
                max_keys: self.max_keys,
            }),
        }
    }

    /// Returns the number of tokens of `key` at `now`, which is a full bucket for an unknown key.
    #[must_use]
    pub fn available<Q>(&self, key: &Q, now: Duration) -> u32
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let missing = self.shard(key).missing(key, nanos(now));
        self.limits.get().tokens(missing)
    }

    /// Returns the number of keys for which there is room.
    #[must_use]
    pub fn max_keys(&self) -> usize {
        self.max_keys
    }

    /// Returns the rate in force.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.limits.get().rate()
    }

    /// Replaces the rate and the burst of every key at `now`, as
    /// [`RateLimitPolicy::change`](super::super::RateLimitPolicy::change) does for one limit. Takes each
    /// shard's write lock in turn.
    ///
    /// # Errors
    ///
    /// Returns an error if the rate is out of range, and then changes nothing.
    pub fn change(&self, now: Duration, rate: Rate) -> Result<(), InvalidSetting> {
        let rate = rate.pack(RATE)?;
        self.limits.set(rate);
        for shard in &self.shards {
            shard.settle(nanos(now), rate.fill());
        }
        Ok(())
    }

    /// Drops the keys that are idle at `now`, because their buckets are full, and returns their number.
    /// The bound holds without this call, because room is made when a new key needs room.
    pub fn evict_idle(&self, now: Duration) -> usize {
        let now = nanos(now);
        let evict = |shard: &Shard<K>| shard.evict_idle(&self.limits, now);
        self.shards.iter().map(evict).sum()
    }

    #[inline]
    fn shard<Q: Hash + ?Sized>(&self, key: &Q) -> &Shard<K> {
        // The upper half of the hash, because the maps use the low bits and the highest ones.
        let hash = (self.hasher.hash_one(key) >> 32) as usize;
        &self.shards[hash & (self.shards.len() - 1)]
    }
}

impl<K> KeyedRateLimitPolicy<K> {
    /// Returns the number of known keys, including idle keys that have not been dropped yet.
    #[must_use]
    pub fn keys(&self) -> usize {
        self.shards.iter().map(Shard::len).sum()
    }
}

impl<K> fmt::Debug for KeyedRateLimitPolicy<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimitPolicy")
            .field("rate", &self.limits.get().rate())
            .field("keys", &self.keys())
            .field("max_keys", &self.max_keys)
            .finish()
    }
}

pub(super) fn check(rate: Rate, max_keys: usize) -> Result<(), InvalidSetting> {
    rate.pack(RATE)?;
    InvalidSetting::unless(max_keys > 0, MAX_KEYS, "at least 1")
}

/// Returns the largest power of two that leaves each shard enough keys.
fn shards(max_keys: usize) -> usize {
    let fit = (max_keys / KEYS_IN_A_SHARD).clamp(1, MOST_SHARDS);
    1 << fit.ilog2()
}

/// The reason why the message of a key does not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefused {
    /// The key has too few tokens.
    Limited(Refused),
    /// The key is new, and there is no room for the key because all others are active.
    Full {
        /// Number of keys for which there is room.
        max_keys: usize,
    },
}

impl KeyRefused {
    #[cold]
    #[inline(never)]
    pub(super) fn into_error<E>(self) -> Error<E> {
        match self {
            Self::Limited(refused) => refused.into_error(),
            Self::Full { max_keys } => Error::Overloaded { limit: max_keys },
        }
    }
}
