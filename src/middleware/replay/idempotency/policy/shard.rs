//! [`Shard`]: the records under one lock.

use std::collections::{HashMap, VecDeque};

use ahash::RandomState;
use smallvec::SmallVec;

use super::super::{Fingerprint, IdempotencyKey, Progress, Record};
use super::Room;
use crate::sync::PlainArc;

/// A run of a key that has begun. Dropping the run leaves the key begun, because nobody knows the outcome.
#[derive(Debug, PartialEq, Eq)]
#[must_use = "a run that is neither finished nor forgotten leaves its key in doubt"]
pub struct Run {
    key: IdempotencyKey,
    number: u64,
}

impl Run {
    pub(super) fn key(&self) -> &IdempotencyKey {
        &self.key
    }
}

pub(super) struct Shard<R> {
    entries: HashMap<IdempotencyKey, Entry<R>, RandomState>,
    /// Places ordered by the end of their window.
    queue: VecDeque<Place>,
    runs: u64,
}

pub(super) struct Entry<R> {
    /// The number of the run that made this entry.
    number: u64,
    /// The time at which the window ends.
    until: u64,
    fingerprint: Fingerprint,
    reply: Option<PlainArc<R>>,
}

/// A place in the queue, which belongs to the entry of its key if both have one number.
struct Place {
    key: IdempotencyKey,
    number: u64,
    until: u64,
}

/// The answer of a shard about a key.
pub(super) enum Step<R> {
    Known(Record<PlainArc<R>>),
    Begun {
        run: Run,
        /// The expired entry of an earlier run, to be dropped outside the lock.
        replaced: Option<Entry<R>>,
    },
    NoRoom,
}

/// The number by which places without an entry must exceed the others before they are dropped.
const SPARE: usize = 32;

impl<R> Shard<R> {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            entries: HashMap::with_hasher(hasher),
            queue: VecDeque::new(),
            runs: 0,
        }
    }

    /// Returns the record of a key whose window has not ended.
    pub(super) fn find(&self, key: &IdempotencyKey, now: u64) -> Option<Record<PlainArc<R>>> {
        let entry = self.entries.get(key).filter(|entry| now < entry.until)?;
        Some(Record {
            fingerprint: entry.fingerprint,
            progress: match &entry.reply {
                Some(reply) => Progress::Done(PlainArc::clone(reply)),
                None => Progress::Begun,
            },
        })
    }

    /// Shortens the windows after the clock was set back, so that no record lives much longer than `window`
    /// from `now`. A step back by less than a window is ignored, because the caller may have read the clock
    /// long ago.
    pub(super) fn set_back(&mut self, now: u64, window: u64) {
        let latest = now.saturating_add(window);
        let is_set_back = |last: &Place| last.until > latest.saturating_add(window);
        if self.queue.back().is_some_and(is_set_back) {
            let untils = self.queue.iter_mut().map(|place| &mut place.until);
            let untils = untils.chain(self.entries.values_mut().map(|entry| &mut entry.until));
            untils.for_each(|until| *until = latest.min(*until));
        }
    }

    /// Begins a run of a key for which no record is [found](Shard::find).
    pub(super) fn begin(
        &mut self,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        until: u64,
        room: &Room,
    ) -> Step<R> {
        // A run that replaces an expired entry of its key needs no other place.
        if !self.entries.contains_key(key) && !room.take() {
            return Step::NoRoom;
        }
        let number = self.queue_up(key, until);
        let entry = Entry {
            number,
            until: self.queue.back().map_or(until, |last| last.until),
            fingerprint,
            reply: None,
        };
        let replaced = self.entries.insert(key.clone(), entry);
        let key = key.clone();
        Step::Begun {
            run: Run { key, number },
            replaced,
        }
    }

    /// Takes the last place in the queue and returns the number of its run. The end of the window is at least
    /// that of the place before, even if this caller read the clock earlier.
    fn queue_up(&mut self, key: &IdempotencyKey, until: u64) -> u64 {
        self.runs += 1;
        let last = self.queue.back().map_or(0, |last| last.until);
        self.queue.push_back(Place {
            key: key.clone(),
            number: self.runs,
            until: until.max(last),
        });
        self.runs
    }

    /// Keeps the reply, or returns it if the run no longer has an entry.
    pub(super) fn finish(&mut self, run: &Run, reply: PlainArc<R>) -> Option<PlainArc<R>> {
        match self.entries.get_mut(&run.key) {
            Some(entry) if entry.number == run.number => entry.reply.replace(reply),
            _ => Some(reply),
        }
    }

    /// Removes the entry of the run, if the entry is still there.
    pub(super) fn forget(&mut self, run: &Run) -> Option<Entry<R>> {
        let entry = self.remove(&run.key, run.number)?;
        if self.queue.len() > 2 * self.entries.len() + SPARE {
            let entries = &self.entries;
            let is_its = |place: &Place| {
                let entry = entries.get(&place.key);
                entry.is_some_and(|entry| entry.number == place.number)
            };
            self.queue.retain(is_its);
        }
        Some(entry)
    }

    /// Removes up to `most` expired records, the oldest first, and returns them.
    pub(super) fn evict(&mut self, now: u64, most: usize) -> SmallVec<[Entry<R>; 2]> {
        let mut over = SmallVec::new();
        while over.len() < most && self.queue.front().is_some_and(|first| first.until <= now) {
            let Some(Place { key, number, .. }) = self.queue.pop_front() else {
                break;
            };
            over.extend(self.remove(&key, number));
        }
        over
    }

    fn remove(&mut self, key: &IdempotencyKey, number: u64) -> Option<Entry<R>> {
        let is_its = self.entries.get(key)?.number == number;
        is_its.then(|| self.entries.remove(key))?
    }
}
