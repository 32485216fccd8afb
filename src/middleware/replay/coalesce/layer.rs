//! [`Coalesce`]: the settings of the layer that shares one run among callers.

use std::fmt;
use std::marker::PhantomData;

use crate::bounds::KeptKey;
use crate::middleware::Cacheable;
use crate::middleware::cache::{
    Alike, By, CacheAnswer, CacheHandle, Handles, Invalidator, Replies, Vary, keeping_nothing,
    most_waiters, waiters_note, waiting,
};
use crate::pipeline::{Answered, Facts, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Lets a dispatch wait for the reply of a running dispatch that has an equal key. See [the module](super).
///
/// ```
/// use arcbus::Layers;
/// use arcbus::middleware::Coalesce;
///
/// let layers = Layers::new().layer(Coalesce::new());
/// # let _ = layers;
/// ```
///
/// A clone makes instances of its own, for routes of its own. [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
pub struct Coalesce<V = Alike> {
    max_waiters: Option<usize>,
    handles: Handles,
    kind: PhantomData<fn() -> V>,
}

impl Coalesce {
    /// Creates a layer that gives each reply to all callers, and lets any number of them wait for one run. To
    /// change that, use [`vary_by`](Coalesce::vary_by) and [`max_waiters`](Coalesce::max_waiters).
    #[must_use]
    pub fn new() -> Self {
        Self {
            max_waiters: None,
            handles: Handles::default(),
            kind: PhantomData,
        }
    }
}

impl<V> Coalesce<V> {
    /// Makes the context's value of type `T` a part of the key, for a handler that reads that value. See
    /// [`Cache::vary_by`](crate::middleware::Cache::vary_by).
    #[must_use]
    pub fn vary_by<T: KeptKey>(self) -> Coalesce<By<T>> {
        Coalesce {
            max_waiters: self.max_waiters,
            handles: self.handles,
            kind: PhantomData,
        }
    }

    /// Bounds the number of dispatches that wait for one run. A dispatch beyond the bound gets
    /// [`Error::Overloaded`](crate::Error::Overloaded) with this limit, and counts as
    /// [`refused`](crate::middleware::cache::CacheStats::refused). Each waiting dispatch takes memory, and
    /// time to be woken when the run is done.
    ///
    /// Range: at least 1. Default: no bound.
    ///
    /// ```
    /// use arcbus::middleware::Coalesce;
    ///
    /// let coalesce = Coalesce::new().max_waiters(10_000);
    /// # let _ = coalesce;
    /// ```
    #[must_use]
    pub fn max_waiters(mut self, dispatches: usize) -> Self {
        self.max_waiters = Some(dispatches);
        self
    }

    /// Returns the handle that counts and invalidates the runs for the query `M`. After an invalidation,
    /// later callers begin a new run instead of joining the old one.
    #[must_use]
    pub fn handle<M: Cacheable>(&self) -> CacheHandle<M> {
        self.handles.of::<M>()
    }

    /// Returns a layer for commands that change the replies to the query `M`. See
    /// [`Invalidates`](crate::middleware::Invalidates).
    #[must_use]
    pub fn invalidator<M: Cacheable>(&self) -> Invalidator<M> {
        self.handle::<M>().invalidator()
    }
}

impl<M: Cacheable, V: Vary> Layer<M> for Coalesce<V> {
    type Middleware = Answered<CacheAnswer<M, V, Replies>>;

    const ROLE: Role = Role::Coalesce;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let max_waiters = most_waiters(self.max_waiters, "Coalesce.max_waiters")?;
        Ok(keeping_nothing(max_waiters, &self.handles))
    }

    fn facts(&self) -> Facts {
        let waiters = waiters_note(self.max_waiters);
        waiting(self.max_waiters).note(format!("one run a key at a time{waiters}"))
    }
}

impl Default for Coalesce {
    fn default() -> Self {
        Self::new()
    }
}

impl<V> Clone for Coalesce<V> {
    fn clone(&self) -> Self {
        Self {
            max_waiters: self.max_waiters,
            handles: self.handles.clone(),
            kind: PhantomData,
        }
    }
}

impl<V> fmt::Debug for Coalesce<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce")
            .field("max_waiters", &self.max_waiters)
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}
