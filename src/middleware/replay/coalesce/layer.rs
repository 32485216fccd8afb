//! [`Coalesce`]: the settings.

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

/// Lets dispatches of one key that come while another runs wait for its reply. See
/// [the module](super).
///
/// ```
/// use arcbus::Layers;
/// use arcbus::middleware::Coalesce;
///
/// let layers = Layers::new().layer(Coalesce::new());
/// # let _ = layers;
/// ```
///
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
pub struct Coalesce<V = Alike> {
    max_waiters: Option<usize>,
    handles: Handles,
    kind: PhantomData<fn() -> V>,
}

impl Coalesce {
    /// Replies are the same for all callers ([`vary_by`](Coalesce::vary_by)), and as many wait for one run as
    /// come ([`max_waiters`](Coalesce::max_waiters)).
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
    /// Makes the context's value of type `T` a part of the key, for a handler that looks at it: as
    /// [`Cache::vary_by`](crate::middleware::Cache::vary_by).
    #[must_use]
    pub fn vary_by<T: KeptKey>(self) -> Coalesce<By<T>> {
        Coalesce {
            max_waiters: self.max_waiters,
            handles: self.handles,
            kind: PhantomData,
        }
    }

    /// Bounds how many dispatches may wait for one run. One that comes when so many do gets
    /// [`Error::Overloaded`](crate::Error::Overloaded) with this limit, and counts as
    /// [`refused`](crate::middleware::cache::CacheStats::refused). A dispatch that waits takes memory and, when
    /// the run is done, its turn at being woken.
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

    /// The runs under way for the query `M`, to count them; to invalidate one lets who asks from then on
    /// begin anew.
    #[must_use]
    pub fn handle<M: Cacheable>(&self) -> CacheHandle<M> {
        self.handles.of::<M>()
    }

    /// A layer for commands that change what the query `M` asks for. See
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
