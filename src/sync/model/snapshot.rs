//! [`Snapshot`] as a model: the promises of `arc_swap`, expressed with the primitives of `loom`.
//!
//! Every version has a place of its own in an arena. The number of the place is published, with the
//! orderings that `arc_swap` documents: a release swap and an acquire load. A lock would promise
//! more.
//!
//! - A load may find an old version, and take a share of that version, for as long as nothing
//!   informs the reader of a newer one. `arc_swap` notes a debt and then looks at the pointer
//!   again, so a load never returns a version whose swap had returned before the debt could be
//!   seen. In the model, the place of such a version is empty. The reader then looks again by a
//!   read-modify-write, which finds the latest.
//! - When a swap returns, every reader of the old version is counted. A reader that is about to
//!   take its share holds on to the arena's share meanwhile. Without such a reader, the arena's
//!   share is gone when the swap returns, so the caller of the swap can find itself the only owner.
//! - [`Cached`] compares by a relaxed load.
//!
//! The model leaves out how `arc_swap` keeps its debts and when the memory of a version is freed.
//! Numbers are never reused, unlike addresses, but the real cache holds the version it compares
//! with.
//!
//! Between two operations of `loom`, no other thread runs. The arena's own mutex is locked only
//! there, and orders nothing in the model.

use std::fmt;
use std::ops::Deref;

use crate::sync::{Arc, AtomicUsize, Ordering, Publishes};

/// The arena's share of a version.
///
/// The outer `Arc` is not modelled. Cloning it is no operation of the model, so a share can leave
/// the arena, or be held, in one step with the operation before.
type Share<T> = std::sync::Arc<Arc<T>>;

pub(crate) struct Snapshot<T> {
    /// The number of the published version.
    current: AtomicUsize,
    arena: std::sync::Mutex<Arena<T>>,
}

struct Arena<T> {
    /// Versions by number, and `None` for a version that a swap has taken.
    places: Vec<Option<Share<T>>>,
    /// The number that was published last.
    latest: usize,
}

pub(crate) struct Guard<T>(Arc<T>);

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self {
            current: AtomicUsize::new(0),
            arena: std::sync::Mutex::new(Arena {
                places: vec![Some(Share::new(Arc::new(value)))],
                latest: 0,
            }),
        }
    }

    fn arena(&self) -> std::sync::MutexGuard<'_, Arena<T>> {
        self.arena
            .lock()
            .expect("a model ends with its first panic")
    }

    pub(crate) fn load(&self) -> Guard<T> {
        Guard(self.load_numbered().1)
    }

    /// Returns the latest version without an operation on `current`. `loom` remembers only the last
    /// access to an atomic, and a writer's own load would hide that of an earlier reader.
    pub(crate) fn load_full(&self) -> Arc<T> {
        let share = {
            let arena = self.arena();
            arena.places[arena.latest].clone()
        };
        own(&share.expect("the latest version is published"))
    }

    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        let number = {
            let mut arena = self.arena();
            arena.places.push(Some(Share::new(value)));
            arena.places.len() - 1
        };
        let old = self.current.swap(number, Ordering::Release);
        let share = {
            let mut arena = self.arena();
            arena.latest = number;
            arena.places[old].clone().expect("published until now")
        };
        // Other threads run here. They may still load the old version, because the swap has not
        // returned.
        let old_value = own(&share);
        let place = self.arena().places[old].take();
        // The arena's share ends with the last of these two and of the readers that hold on to it.
        drop(place);
        drop(share);
        old_value
    }

    fn load_numbered(&self) -> (usize, Arc<T>) {
        let mut number = self.current.load(Ordering::Acquire);
        let mut share = self.arena().places[number].clone();
        if share.is_none() {
            number = self.current.fetch_add(0, Ordering::Acquire);
            share = self.arena().places[number].clone();
        }
        (
            number,
            own(&share.expect("the current version is published")),
        )
    }
}

/// Takes a share of the version.
fn own<T>(share: &Share<T>) -> Arc<T> {
    Arc::clone(share)
}

impl<T> Deref for Guard<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Snapshot<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Snapshot").finish_non_exhaustive()
    }
}

pub(crate) struct Cached<O, T> {
    owner: Arc<O>,
    number: usize,
    value: Arc<T>,
}

impl<O: Publishes<T>, T> Cached<O, T> {
    pub(crate) fn new(owner: Arc<O>) -> Self {
        let (number, value) = owner.snapshot().load_numbered();
        Self {
            owner,
            number,
            value,
        }
    }

    pub(crate) fn load(&mut self) -> &Arc<T> {
        let snapshot = self.owner.snapshot();
        if snapshot.current.load(Ordering::Relaxed) != self.number {
            (self.number, self.value) = snapshot.load_numbered();
        }
        &self.value
    }
}

impl<O, T> Clone for Cached<O, T> {
    fn clone(&self) -> Self {
        Self {
            owner: Arc::clone(&self.owner),
            number: self.number,
            value: Arc::clone(&self.value),
        }
    }
}

/// A [`Snapshot`] for the models, changed without the lock that the registry's writers take.
#[derive(Debug)]
pub struct Published<T>(Snapshot<T>);

impl<T> Published<T> {
    /// Creates a snapshot that publishes `value`.
    pub fn new(value: T) -> Self {
        Self(Snapshot::new(value))
    }

    /// Calls `read` with the published value.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0.load())
    }

    /// Replaces the published value by the result of `change`.
    pub fn change(&self, change: impl FnOnce(&T) -> T) {
        let next = change(&self.0.load_full());
        drop(self.0.swap(Arc::new(next)));
    }
}
