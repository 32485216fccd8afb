//! [`Coalesce`]: the settings.

use std::fmt;
use std::marker::PhantomData;

use crate::bounds::KeptKey;
use crate::middleware::Cacheable;
use crate::middleware::cache::{
    Alike, By, CacheHandle, CacheMiddleware, Handles, Invalidator, Replies, Vary, keeping_nothing,
    waiting,
};
use crate::pipeline::{Facts, Layer, Role, RouteInfo};

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
    handles: Handles,
    kind: PhantomData<fn() -> V>,
}

impl Coalesce {
    /// There is nothing to set but [`vary_by`](Coalesce::vary_by).
    #[must_use]
    pub fn new() -> Self {
        Self {
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
            handles: self.handles,
            kind: PhantomData,
        }
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
    type Middleware = CacheMiddleware<M, V, Replies>;

    const ROLE: Role = Role::Coalesce;

    fn middleware(&self, _route: &RouteInfo) -> Self::Middleware {
        keeping_nothing(&self.handles)
    }

    fn facts(&self) -> Facts {
        waiting().note("one run a key at a time")
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
            handles: self.handles.clone(),
            kind: PhantomData,
        }
    }
}

impl<V> fmt::Debug for Coalesce<V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Coalesce")
            .field("handles", &self.handles)
            .finish_non_exhaustive()
    }
}
