//! Layers whose routes share one instance.

use std::any::{Any, TypeId};
use std::fmt;

use smallvec::SmallVec;

use super::type_name::short_type_name;
use super::{Facts, Layer, Middleware, Role, Roles, RouteInfo};
use crate::message::Message;
use crate::setting::InvalidSetting;
use crate::sync::{Arc, Mutex};

/// A plain middleware as a layer: every route shares it. What `.wrap(..)` makes.
pub struct Wrapped<W>(Arc<W>);

impl<W> Wrapped<W> {
    pub(crate) fn new(middleware: W) -> Self {
        Self(Arc::new(middleware))
    }
}

impl<W> fmt::Debug for Wrapped<W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Wrapped({})", short_type_name::<W>())
    }
}

impl<M: Message, W: Middleware<M>> Layer<M> for Wrapped<W> {
    type Middleware = Arc<W>;

    const ROLE: Role = W::ROLE;
    const ROLES: Roles = Roles::NONE;

    fn middleware(&self, _route: &RouteInfo) -> Arc<W> {
        Arc::clone(&self.0)
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn name(&self) -> &'static str {
        if self.0.is_on() {
            short_type_name::<W>()
        } else {
            ""
        }
    }
}

/// A layer that makes one instance for the first route and gives it to all the others: one limit for
/// several routes together, say. Made by [`LayerExt::shared`].
///
/// A layer whose middleware has another type for each message gives one instance a type.
pub struct Shared<L> {
    layer: L,
    made: Mutex<SmallVec<[Instance; 1]>>,
}

type Instance = (TypeId, Box<dyn Any + Send + Sync>);

/// Gives every layer [`shared`](LayerExt::shared).
pub trait LayerExt: Sized {
    /// This layer with one instance across the routes it stands above, instead of one a route.
    ///
    /// ```
    /// use arcbus::{Layer, LayerExt, Layers};
    /// # struct Limit;
    /// let layers = Layers::new().layer(Limit.shared());
    /// # let _ = layers;
    /// ```
    fn shared(self) -> Shared<Self> {
        Shared {
            layer: self,
            made: Mutex::new(SmallVec::new()),
        }
    }
}

impl<L> LayerExt for L {}

impl<L> Shared<L> {
    fn find<W: Send + Sync + 'static>(&self) -> Option<Arc<W>> {
        let made = self.made.lock();
        let (_, instance) = made.iter().find(|(id, _)| *id == TypeId::of::<W>())?;
        instance.downcast_ref::<Arc<W>>().cloned()
    }

    /// Keeps `instance`, unless another registration was faster; returns the one that is kept.
    ///
    /// One that came too late is dropped outside the lock: that is user code, too.
    fn keep<W: Send + Sync + 'static>(&self, instance: Arc<W>) -> Arc<W> {
        let first = {
            let mut made = self.made.lock();
            match made.iter().find(|(id, _)| *id == TypeId::of::<W>()) {
                Some((_, first)) => first.downcast_ref::<Arc<W>>().cloned(),
                None => {
                    made.push((TypeId::of::<W>(), Box::new(Arc::clone(&instance))));
                    None
                }
            }
        };
        first.unwrap_or(instance)
    }
}

impl<L> fmt::Debug for Shared<L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Shared({})", short_type_name::<L>())
    }
}

impl<M: Message, L: Layer<M>> Layer<M> for Shared<L> {
    type Middleware = Arc<L::Middleware>;

    const ROLE: Role = L::ROLE;
    const ROLES: Roles = L::ROLES;

    fn check(&self) -> Result<(), InvalidSetting> {
        self.layer.check()
    }

    /// Makes the instance outside the lock: a layer is user code and may register in turn.
    fn middleware(&self, route: &RouteInfo) -> Self::Middleware {
        self.find()
            .unwrap_or_else(|| self.keep(Arc::new(self.layer.middleware(route))))
    }

    fn facts(&self) -> Facts {
        self.layer.facts()
    }

    fn name(&self) -> &'static str {
        self.layer.name()
    }
}
