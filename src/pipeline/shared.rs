//! Layers whose routes share one instance.

use std::fmt;

use super::type_name::short_type_name;
use super::{Facts, Layer, Middleware, Role, Roles, RouteInfo, Tie};
use crate::message::Message;
use crate::setting::InvalidSetting;
use crate::sync::{Arc, Mutex, PlainArc};
use crate::type_map::TypeMap;

/// A plain middleware as a layer, made by `.wrap(..)`, whose single instance every route shares.
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

/// A layer made by [`LayerExt::shared`], whose instance several routes share, for example for one limit
/// across them all.
///
/// Clones refer to one instance, so that routes, scopes and buses can share that instance. The first
/// registration makes the instance, which lives as long as a clone of this layer or a route holds it. A layer
/// whose middleware type depends on the message makes an instance for each of those types.
///
/// The buses that share the layer must have one [clock](crate::BusBuilder::clock), or clones of one. The
/// first bus that is built decides the clock. A bus with another clock is refused with
/// [`AnotherClock`](crate::RegistrationError::AnotherClock).
pub struct Shared<L>(PlainArc<Origin<L>>);

/// The layer, and the instances that the layer has made.
struct Origin<L> {
    layer: L,
    /// An `Arc` of each middleware made so far, by its type.
    made: Mutex<TypeMap>,
    tie: Tie,
}

/// Gives every layer the method [`shared`](LayerExt::shared).
pub trait LayerExt: Sized {
    /// Returns this layer with one instance for all its routes, instead of one for each route. Clones of the
    /// returned layer refer to that instance, also on other buses, but clones of the original layer do not.
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
    /// Returns the layer that is shared, for example to reach its handles.
    #[must_use]
    pub fn get_ref(&self) -> &L {
        &self.0.layer
    }

    fn find<W: Send + Sync + 'static>(&self) -> Option<Arc<W>> {
        let made = self.0.made.lock();
        let instance = made.get::<Arc<W>>()?;
        self.is_kept(instance).then(|| Arc::clone(instance))
    }

    /// Keeps `instance`, unless another registration was faster, and returns the instance that is kept.
    ///
    /// An instance that came too late, or is no longer kept, is dropped outside the lock, because its drop is
    /// user code.
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

    /// Returns whether a route has the instance, or a bus has been built with the layer. The instance of a
    /// failed registration is not kept.
    fn is_kept<W>(&self, instance: &Arc<W>) -> bool {
        Arc::strong_count(instance) > 1 || !self.0.tie.is_free()
    }
}

/// Clones the handle, which refers to the instance of the original.
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

    /// Makes the instance outside the lock, because a layer is user code and may itself register.
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
