//! [`Snapshot`] as a model: what `arc_swap` promises, said with `loom`'s primitives.
//!
//! Every version has a place of its own in an arena, and what is published is the number of the
//! place, by the orderings that `arc_swap` documents: a release swap and an acquire load. It is no
//! lock, which would promise more.
//!
//! - A load may find an old version for as long as nothing tells the reader of a newer one, and
//!   takes a share of it. `arc_swap` notes a debt and then looks at the pointer again; so a load never
//!   returns a version whose swap had returned before the debt could be seen. Here: the place of such
//!   a version is empty, and the reader looks again by a read-modify-write, which finds the latest.
//! - When a swap returns, a reader that still uses the old version is counted: one that is about to
//!   take its share holds on to the arena's share meanwhile. Without such a reader the arena's share
//!   is gone when the swap returns, so that its caller can find itself the only owner.
//! - [`Cached`] compares by a relaxed load.
//!
//! Left out: how `arc_swap` keeps its debts, when a version's memory is freed, and that an address
//! may be used again (numbers never are; the real cache holds the version it compares with).
//!
//! Between two of `loom`'s operations no other thread runs. The arena's own mutex is locked only
//! there, and orders nothing in the model.

use std::fmt;
use std::ops::Deref;

use crate::sync::{Arc, AtomicUsize, Ordering, Publishes};

/// The arena's share of a version.
///
/// The outer `Arc` is not modelled: cloning it is no operation of the model, so the share can be taken
/// out of the arena, or held on to, in the same step as the operation before.
type Share<T> = std::sync::Arc<Arc<T>>;

pub(crate) struct Snapshot<T> {
    /// The number of the published version.
    current: AtomicUsize,
    arena: std::sync::Mutex<Arena<T>>,
}

struct Arena<T> {
    /// By number; `None` once a swap took it.
    places: Vec<Option<Share<T>>>,
    /// The last number that was published.
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

    /// The latest version, found without an operation on `current`: `loom` remembers only the last
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
        // Others run here: they may still load the old version, for the swap has not returned.
        let old_value = own(&share);
        let place = self.arena().places[old].take();
        // The arena's share goes with the last of these and of the readers that hold on to it.
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

/// A share of the version for oneself.
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

/// A [`Snapshot`] for a model of its own, changed without the lock that the registry's writers take.
#[derive(Debug)]
pub struct Published<T>(Snapshot<T>);

impl<T> Published<T> {
    /// Publishes `value`.
    pub fn new(value: T) -> Self {
        Self(Snapshot::new(value))
    }

    /// Shows the published value.
    pub fn read<R>(&self, read: impl FnOnce(&T) -> R) -> R {
        read(&self.0.load())
    }

    /// Replaces the published value by one made from it.
    pub fn change(&self, change: impl FnOnce(&T) -> T) {
        let next = change(&self.0.load_full());
        drop(self.0.swap(Arc::new(next)));
    }
}
