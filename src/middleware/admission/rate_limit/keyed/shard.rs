//! [`Shard`]: a part of the keys, each with its bucket.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;

use ahash::RandomState;

use super::super::bucket::{Bucket, Limits, Short, Taken};
use crate::sync::RwLock;

/// Time in nanoseconds after a search for idle keys in which no other search begins. This bounds the
/// cost of a flood of new keys to one pass over a shard in a millisecond.
const BETWEEN_SWEEPS: u64 = 1_000_000;

/// A bounded number of keys with their buckets.
///
/// A known key takes the read lock, and its token by the bucket's compare-and-swap. A new key takes the
/// write lock. A key whose bucket is full again is equal to an unknown key. Such a key is idle, and is
/// dropped when its room is needed. No other key is ever dropped.
///
/// The `Hash`, `Eq` and `Borrow` of a key run under the lock, and no other code of a key does.
#[derive(Debug)]
pub(super) struct Shard<K> {
    keys: RwLock<Keys<K>>,
    capacity: usize,
}

#[derive(Debug)]
struct Keys<K> {
    buckets: HashMap<K, Bucket, RandomState>,
    /// The tick before which no search for idle keys begins.
    next_sweep: u64,
}

/// The reason why there is no token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    Token(Short),
    /// The shard is full of keys that are not idle.
    Room,
}

impl<K: Hash + Eq> Shard<K> {
    pub(super) fn new(capacity: usize, hasher: RandomState) -> Self {
        Self {
            keys: RwLock::new(Keys {
                buckets: HashMap::with_hasher(hasher),
                next_sweep: 0,
            }),
            capacity,
        }
    }

    /// Takes `count` tokens of the bucket of `key`.
    #[inline]
    pub(super) fn take<Q>(
        &self,
        limits: &Limits,
        key: &Q,
        now: u64,
        count: u32,
    ) -> Result<Taken, Lack>
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ToOwned<Owned = K> + ?Sized,
    {
        let known = {
            let keys = self.keys.read();
            keys.buckets
                .get(key)
                .map(|bucket| bucket.take(limits, now, count, 0))
        };
        match known {
            Some(taken) => taken.map_err(Lack::Token),
            None => self.take_new(limits, key.to_owned(), now, count),
        }
    }

    /// Takes tokens of a key that may be new. A key that is not kept, and keys that make room, are
    /// dropped after the lock is released, because their drop is user code. The lock is the last
    /// variable, and so the first to be dropped.
    #[cold]
    fn take_new(&self, limits: &Limits, key: K, now: u64, count: u32) -> Result<Taken, Lack> {
        let mut idle = Vec::new();
        let mut keys = self.keys.write();
        // Another thread may have been faster with this key. An entry for the key would drop the key
        // under the lock.
        let taken = if let Some(bucket) = keys.buckets.get(&key) {
            bucket.take(limits, now, count, 0)
        } else if keys.make_room(self.capacity, limits, now, &mut idle) {
            let bucket = keys.buckets.entry(key).or_default();
            bucket.take(limits, now, count, 0)
        } else {
            return Err(Lack::Room);
        };
        taken.map_err(Lack::Token)
    }

    /// Drops the idle keys, and returns their number.
    pub(super) fn evict_idle(&self, limits: &Limits, now: u64) -> usize {
        let mut idle = Vec::new();
        self.keys.write().sweep(limits, now, &mut idle);
        idle.len()
    }

    /// Sets back the bucket of a key by [`Bucket::set_back`].
    pub(super) fn set_back<Q>(&self, limits: &Limits, key: &Q, now: u64)
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        if let Some(bucket) = self.keys.read().buckets.get(key) {
            bucket.set_back(now, limits.most_missing());
        }
    }

    /// Returns [`Bucket::missing`] of a key, or 0 for an unknown key.
    pub(super) fn missing<Q>(&self, key: &Q, now: u64) -> u64
    where
        K: Borrow<Q>,
        Q: Hash + Eq + ?Sized,
    {
        let keys = self.keys.read();
        let bucket = keys.buckets.get(key);
        bucket.map_or(0, |bucket| bucket.missing(now))
    }

    pub(super) fn settle(&self, now: u64, most: u64) {
        // The write lock ensures that a bucket that is being added is not passed over.
        let keys = self.keys.write();
        for bucket in keys.buckets.values() {
            bucket.settle(now, most);
        }
    }
}

impl<K> Shard<K> {
    pub(super) fn len(&self) -> usize {
        self.keys.read().buckets.len()
    }
}

impl<K: Hash + Eq> Keys<K> {
    /// Returns true if there is room for one more key. Looks for idle keys before the map would grow, so
    /// that the map is as large as the number of active keys.
    fn make_room(&mut self, capacity: usize, limits: &Limits, now: u64, idle: &mut Vec<K>) -> bool {
        let has_room = |keys: &Self| keys.buckets.len() < capacity;
        let would_grow = self.buckets.len() == self.buckets.capacity();
        // After a clock was set back, the tick of the next sweep may be far away.
        let may_sweep = now >= self.next_sweep || self.next_sweep - now > BETWEEN_SWEEPS;
        if (would_grow || !has_room(self)) && may_sweep {
            self.sweep(limits, now, idle);
            self.next_sweep = now.saturating_add(BETWEEN_SWEEPS);
        }
        has_room(self)
    }

    fn sweep(&mut self, limits: &Limits, now: u64, idle: &mut Vec<K>) {
        let most = limits.most_missing();
        let is_idle = |_: &K, bucket: &mut Bucket| {
            bucket.set_back(now, most);
            bucket.missing(now) == 0
        };
        idle.extend(self.buckets.extract_if(is_idle).map(|(key, _)| key));
    }
}
