//! Layers whose routes share one instance.

use std::fmt;

use super::type_name::short_type_name;
use super::{Facts, Layer, Middleware, Role, Roles, RouteInfo, Tie};
use crate::message::Message;
use crate::setting::InvalidSetting;
use crate::sync::{Arc, Mutex, PlainArc};
use crate::type_map::TypeMap;

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

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Arc<W>>,
    ) -> Result<Arc<W>, InvalidSetting> {
        Ok(Arc::clone(&self.0))
    }

    fn facts(&self) -> Facts {
        self.0.facts().shared()
    }

    fn name(&self) -> &'static str {
        if self.0.is_on() {
            short_type_name::<W>()
        } else {
            ""
        }
    }
}

/// A layer whose instance several routes share: one limit for several routes together, say. Made by
/// [`LayerExt::shared`].
///
/// A clone means the same instance, so that routes, scopes and buses can share it. The first registration
/// makes the instance, and it lives as long as a clone of this layer or a route that has it. A layer whose
/// middleware has another type for each message makes one instance for each of those types.
///
/// The buses that share it must have one [clock](crate::BusBuilder::clock), or clones of one: the first that
/// is built decides which, and one with another is refused with
/// [`AnotherClock`](crate::RegistrationError::AnotherClock).
pub struct Shared<L>(PlainArc<Origin<L>>);

/// The layer, and what it has made.
struct Origin<L> {
    layer: L,
    /// An `Arc` of each middleware.
    made: Mutex<TypeMap>,
    tie: Tie,
}

/// Gives every layer [`shared`](LayerExt::shared).
pub trait LayerExt: Sized {
    /// Returns this layer with one instance for all routes it stands above, instead of one a route. Clones
    /// of what it returns mean that instance, too, also on other buses; a clone of the layer itself does
    /// not.
    ///
    /// ```
    /// use arcbus::middleware::Bulkhead;
    /// use arcbus::{Command, CommandBus, Context, LayerExt, Message, Query, QueryBus, from_fn};
    /// # struct Pay;
    /// # impl Message for Pay {
    /// #     const NAME: &'static str = "pay";
    /// #     type Kind = Command;
    /// #     type Reply = ();
    /// #     type Error = std::convert::Infallible;
    /// # }
    /// # struct Balance;
    /// # impl Message for Balance {
    /// #     const NAME: &'static str = "balance";
    /// #     type Kind = Query;
    /// #     type Reply = u64;
    /// #     type Error = std::convert::Infallible;
    /// # }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bank = Bulkhead::new(8).shared(); // eight at once, commands and queries together
    /// let commands = CommandBus::builder()
    ///     .layer(bank.clone())
    ///     .register(from_fn(|_: Pay, _: &Context<'_>| Ok(())))
    ///     .build()?;
    /// let queries = QueryBus::builder()
    ///     .layer(bank)
    ///     .register(from_fn(|_: Balance, _: &Context<'_>| Ok(0)))
    ///     .build()?;
    /// assert!(commands.explain::<Pay>()?.layers()[0].is_shared());
    /// # let _ = queries;
    /// # Ok(())
    /// # }
    /// ```
    fn shared(self) -> Shared<Self> {
        Shared(PlainArc::new(Origin {
            layer: self,
            made: Mutex::new(TypeMap::default()),
            tie: Tie::default(),
        }))
    }
}

impl<L> LayerExt for L {}

impl<L> Shared<L> {
    /// Returns the layer that is shared: for its handles, say.
    #[must_use]
    pub fn get_ref(&self) -> &L {
        &self.0.layer
    }

    fn find<W: Send + Sync + 'static>(&self) -> Option<Arc<W>> {
        let made = self.0.made.lock();
        let instance = made.get::<Arc<W>>()?;
        self.is_kept(instance).then(|| Arc::clone(instance))
    }

    /// Keeps `instance`, unless another registration was faster; returns the one that is kept.
    ///
    /// One that came too late, or is not kept any more, is dropped outside the lock: that is user code, too.
    fn keep<W: Send + Sync + 'static>(&self, instance: Arc<W>) -> Arc<W> {
        let mut made = self.0.made.lock();
        if let Some(first) = made.get::<Arc<W>>().filter(|first| self.is_kept(first)) {
            let first = Arc::clone(first);
            drop(made);
            return first;
        }
        let dropped = made.insert(Arc::clone(&instance));
        drop(made);
        drop(dropped);
        instance
    }

    /// Whether a route has the instance, or a bus has been built with the layer: the instance of a
    /// registration that failed is not kept.
    fn is_kept<W>(&self, instance: &Arc<W>) -> bool {
        Arc::strong_count(instance) > 1 || !self.0.tie.is_free()
    }
}

/// Means the same instance.
impl<L> Clone for Shared<L> {
    fn clone(&self) -> Self {
        Self(PlainArc::clone(&self.0))
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

    /// Makes the instance outside the lock: a layer is user code and may register in turn.
    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        match self.find() {
            Some(instance) => Ok(instance),
            None => {
                let made = self.0.layer.middleware(route, None)?;
                Ok(self.keep(Arc::new(made)))
            }
        }
    }

    fn facts(&self) -> Facts {
        self.0.layer.facts().shared().tied(&self.0.tie)
    }

    fn name(&self) -> &'static str {
        self.0.layer.name()
    }
}
