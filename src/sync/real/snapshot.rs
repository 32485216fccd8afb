//! [`Snapshot`]: this crate's interface to [`arc_swap::ArcSwap`].

use std::marker::PhantomData;
use std::ops::Deref;
use std::sync::Arc;

use arc_swap::ArcSwap;

use crate::sync::Publishes;

/// A published value that readers load without waiting and a writer replaces whole.
///
/// Loads and swaps are those of `ArcSwap`: a reader that loads the new pointer sees everything the
/// writer did before publishing it. When [`swap`](Snapshot::swap) returns, the strong count of the
/// returned `Arc` includes every reader that still uses the old value. The orderings are those of
/// `arc_swap`. Models: `publication`, `swaps`, `retirement`.
#[derive(Debug)]
pub(crate) struct Snapshot<T>(ArcSwap<T>);

/// A loaded value, which gives back the reader's slot on drop.
pub(crate) struct Guard<T>(arc_swap::Guard<Arc<T>>);

impl<T> Snapshot<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(ArcSwap::from_pointee(value))
    }

    #[inline]
    pub(crate) fn load(&self) -> Guard<T> {
        Guard(self.0.load())
    }

    pub(crate) fn load_full(&self) -> Arc<T> {
        self.0.load_full()
    }

    /// Publishes `value` and returns the value that it replaced.
    pub(crate) fn swap(&self, value: Arc<T>) -> Arc<T> {
        self.0.swap(value)
    }
}

impl<T> Deref for Guard<T> {
    type Target = T;

    #[inline]
    fn deref(&self) -> &T {
        &self.0
    }
}

/// A reader's own copy of the published `Arc`, checked by one pointer comparison at each load.
///
/// The check is a relaxed load. By coherence alone, a thread that learned of a swap, by whatever
/// means, sees the new pointer here. The full load after a difference synchronises the contents of
/// the new value. Model: `staleness`.
pub(crate) struct Cached<O: Publishes<T>, T>(arc_swap::Cache<Anchor<O, T>, Arc<T>>);

impl<O: Publishes<T>, T> Cached<O, T> {
    pub(crate) fn new(owner: Arc<O>) -> Self {
        Self(arc_swap::Cache::new(Anchor(owner, PhantomData)))
    }

    /// Returns the published value, reloaded if it changed since the last call.
    #[inline(always)]
    pub(crate) fn load(&mut self) -> &Arc<T> {
        self.0.load()
    }
}

impl<O: Publishes<T>, T> Clone for Cached<O, T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

/// Gives `arc_swap::Cache` access to the `ArcSwap` inside its owner.
struct Anchor<O, T>(Arc<O>, PhantomData<fn() -> T>);

impl<O, T> Clone for Anchor<O, T> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0), PhantomData)
    }
}

impl<O: Publishes<T>, T> Deref for Anchor<O, T> {
    type Target = ArcSwap<T>;

    #[inline(always)]
    fn deref(&self) -> &ArcSwap<T> {
        &self.0.snapshot().0
    }
}
