//! [`MemoryStore`]: the keys of one message type, in memory.
//!
//! A record stands in a table, and in a queue ordered by the beginnings of the runs. All windows are equally
//! long, so the expired records are at the head of the queue. A forgotten record leaves its place in the
//! queue, until such places are as many as the others.

mod room;
mod shard;

use std::fmt;
use std::time::Duration;

use ahash::RandomState;

pub use room::Room;
pub use shard::Run;
use shard::{Shard, Step};

use super::{Begin, Fingerprint, IdempotencyKey};
use crate::clock::nanos;
use crate::random::random_state;
use crate::setting::InvalidSetting;
use crate::sync::{Mutex, PlainArc};

/// The number of locks over which the keys are spread. A model has two, which share the room.
const SHARDS: usize = if cfg!(arcbus_loom) { 2 } else { 32 };

/// The keys of one message type, in the memory of this process, with the replies of their runs.
///
/// A key is kept for its whole window. A full store makes room by dropping expired records, and refuses a new
/// key if no record has expired. The store can be used alone, because its caller passes the time, as the
/// duration since a fixed moment.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::idempotency::{Begin, Fingerprint, MemoryStore, Progress};
///
/// let (at, window) = (Duration::ZERO, Duration::from_secs(60));
/// let keys = MemoryStore::new(window, 1)?;
/// let payload = Fingerprint::of(&500);
///
/// let Begin::Run(run) = keys.begin(&"a1".into(), payload, at) else { panic!("it is new") };
/// keys.finish(run, "charged");
/// let Begin::Known(first) = keys.begin(&"a1".into(), payload, at) else { panic!("it is known") };
/// assert_eq!(first.progress, Progress::Done("charged".into()));
///
/// assert_eq!(keys.begin(&"a2".into(), payload, at), Begin::Full { limit: 1 });
/// assert!(matches!(keys.begin(&"a2".into(), payload, at + window), Begin::Run(_)));
/// # Ok::<_, arcbus::InvalidSetting>(())
/// ```
pub struct MemoryStore<R> {
    shards: Box<[Mutex<Shard<R>>]>,
    hasher: RandomState,
    /// The window in nanoseconds.
    window: u64,
    room: PlainArc<Room>,
}

impl<R> MemoryStore<R> {
    /// Creates a store of up to `capacity` keys, at least 1, for `window` each: more than zero, less than 584
    /// years.
    ///
    /// # Errors
    ///
    /// Returns the setting that is out of range.
    pub fn new(window: Duration, capacity: usize) -> Result<Self, InvalidSetting> {
        check_window(window)?;
        Ok(Self::in_room(window, PlainArc::new(Room::new(capacity)?)))
    }

    pub(super) fn in_room(window: Duration, room: PlainArc<Room>) -> Self {
        let hasher = random_state();
        let shard = |_| Mutex::new(Shard::new(hasher.clone()));
        Self {
            shards: (0..SHARDS).map(shard).collect(),
            hasher,
            window: nanos(window),
            room,
        }
    }

    /// Begins a run of `key`, or returns the record of the key. A run that is dropped before its end leaves
    /// the key begun.
    pub fn begin(
        &self,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        now: Duration,
    ) -> Begin<Run, PlainArc<R>> {
        let now = nanos(now);
        let begin = || self.shard(key).begin(key, fingerprint, now);
        begin().unwrap_or_else(|| {
            self.sweep(now);
            let limit = self.room.capacity();
            begin().unwrap_or(Begin::Full { limit })
        })
    }

    /// Keeps the reply of a run until its window ends.
    pub fn finish(&self, run: Run, reply: R) {
        let reply = PlainArc::new(reply);
        self.shard(run.key()).finish(&run, reply);
    }

    /// Forgets the key of a run, so that the key can be begun again.
    pub fn forget(&self, run: Run) {
        self.shard(run.key()).forget(&run);
    }

    /// Returns the number of keys and the capacity. Expired keys count until a new key takes their room.
    #[must_use]
    pub fn room(&self) -> &Room {
        &self.room
    }

    /// Removes all expired records to make room. This takes every lock, and is therefore only for a caller
    /// that found no room.
    #[cold]
    fn sweep(&self, now: u64) {
        for shard in &self.shards {
            Locked { shard, store: self }.sweep(now);
        }
    }

    fn shard(&self, key: &IdempotencyKey) -> Locked<'_, R> {
        // A model hashes a key by its length, so that the model can choose the shard.
        let hash = if cfg!(arcbus_loom) {
            key.as_str().len()
        } else {
            (self.hasher.hash_one(key) >> 32) as usize
        };
        let shard = &self.shards[hash % self.shards.len()];
        Locked { shard, store: self }
    }
}

/// A shard behind its lock, whose removed values are dropped after the lock is released, because the drop of
/// a reply is user code.
struct Locked<'s, R> {
    shard: &'s Mutex<Shard<R>>,
    store: &'s MemoryStore<R>,
}

impl<R> Locked<'_, R> {
    /// Begins a run, or returns `None` if there is no room.
    fn begin(
        &self,
        key: &IdempotencyKey,
        fingerprint: Fingerprint,
        now: u64,
    ) -> Option<Begin<Run, PlainArc<R>>> {
        let MemoryStore { room, window, .. } = self.store;
        let mut shard = self.shard.lock();
        shard.set_back(now, *window);
        let over = shard.evict(now, EVICTED_AT_ONCE);
        room.give_back(over.len());
        let step = match shard.find(key, now) {
            Some(record) => Step::Known(record),
            None => shard.begin(key, fingerprint, now.saturating_add(*window), room),
        };
        drop(shard);
        drop(over);
        match step {
            Step::Known(record) => Some(Begin::Known(record)),
            Step::Begun { run, replaced } => {
                drop(replaced);
                Some(Begin::Run(run))
            }
            Step::NoRoom => None,
        }
    }

    fn finish(&self, run: &Run, reply: PlainArc<R>) {
        let refused = self.shard.lock().finish(run, reply);
        drop(refused);
    }

    fn forget(&self, run: &Run) {
        let forgotten = self.shard.lock().forget(run);
        self.store.room.give_back(usize::from(forgotten.is_some()));
        drop(forgotten);
    }

    fn sweep(&self, now: u64) {
        let mut shard = self.shard.lock();
        shard.set_back(now, self.store.window);
        let over = shard.evict(now, usize::MAX);
        drop(shard);
        self.store.room.give_back(over.len());
        drop(over);
    }
}

/// More records than a call adds, so that expired records do not pile up.
const EVICTED_AT_ONCE: usize = 2;

pub(super) fn check_window(window: Duration) -> Result<(), InvalidSetting> {
    InvalidSetting::unless(
        !matches!(nanos(window), 0 | u64::MAX),
        "Idempotency.window",
        "more than zero and less than 584 years",
    )
}

impl<R> fmt::Debug for MemoryStore<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemoryStore")
            .field("window", &Duration::from_nanos(self.window))
            .field("room", &self.room)
            .finish_non_exhaustive()
    }
}
