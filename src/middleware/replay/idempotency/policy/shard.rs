//! [`Shard`]: the records under one lock.

use std::collections::{HashMap, VecDeque};

use ahash::RandomState;
use smallvec::SmallVec;

use super::super::{Fingerprint, IdempotencyKey, Progress, Record};
use super::Room;
use crate::sync::PlainArc;

/// One run of a key, which has begun. Dropped, it leaves the key begun: nobody knows its outcome.
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
    /// By the end of their window.
    queue: VecDeque<Place>,
    runs: u64,
}

pub(super) struct Entry<R> {
    /// The number of its run.
    number: u64,
    /// When its window is over.
    until: u64,
    fingerprint: Fingerprint,
    reply: Option<PlainArc<R>>,
}

/// Belongs to an entry if that has its number.
struct Place {
    key: IdempotencyKey,
    number: u64,
    until: u64,
}

/// What a shard says of a key.
pub(super) enum Step<R> {
    Known(Record<PlainArc<R>>),
    Begun {
        run: Run,
        /// The entry of an earlier run, whose window is over.
        replaced: Option<Entry<R>>,
    },
    NoRoom,
}

/// Places that belong to no entry are dropped when there are so many more of them than of others.
const SPARE: usize = 32;

impl<R> Shard<R> {
    pub(super) fn new(hasher: RandomState) -> Self {
        Self {
            entries: HashMap::with_hasher(hasher),
            queue: VecDeque::new(),
            runs: 0,
        }
    }

    /// What is known of a key whose window is not over.
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

    /// Keeps nothing for much longer than its `window` from `now`, where a clock was set back behind what
    /// stands here: by less than a window, it may be that who comes has read the clock long ago.
    pub(super) fn set_back(&mut self, now: u64, window: u64) {
        let latest = now.saturating_add(window);
        let is_set_back = |last: &Place| last.until > latest.saturating_add(window);
        if self.queue.back().is_some_and(is_set_back) {
            let untils = self.queue.iter_mut().map(|place| &mut place.until);
            let untils = untils.chain(self.entries.values_mut().map(|entry| &mut entry.until));
            untils.for_each(|until| *until = latest.min(*until));
        }
    }

    /// Begins a run of a key of which nothing is [found](Shard::find).
    pub(super) fn begin(
        &mut self,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        until: u64,
        room: &Room,
    ) -> Step<R> {
        // One that takes the place of its predecessor needs no other.
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

    /// The last place: its end is not before the others', also where who took it has read the clock
    /// earlier than the one before. The number of its run.
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

    /// The reply, if the run has no entry any more.
    pub(super) fn finish(&mut self, run: &Run, reply: PlainArc<R>) -> Option<PlainArc<R>> {
        match self.entries.get_mut(&run.key) {
            Some(entry) if entry.number == run.number => entry.reply.replace(reply),
            _ => Some(reply),
        }
    }

    /// The entry of the run, if it is still there.
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

    /// Takes out what is past its window, up to `most`.
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
