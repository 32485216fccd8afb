//! [`Layer`]: the configuration of a middleware.

use std::mem;
use std::time::SystemTime;

use super::type_name::short_type_name;
use super::{Facts, Middleware, Role, Roles, Settle, Settling};
use crate::clock::Clock;
use crate::message::{Message, MessageType};
use crate::registry::Unhandled;
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// The configuration of a middleware; makes one instance a route.
///
/// # One instance a route
///
/// A layer makes a new instance, with state of its own, for each route that is registered below it, and so
/// does a clone of the layer. `Bulkhead::new(8)` around three routes lets 24 dispatches run at once; clones
/// of one breaker on two buses open each by itself. What clones of a layer have in common is what its
/// [handles](crate::middleware::Handles) list and what its page says that they share: the budget of a
/// `Retry`, the keys of an `Idempotency`.
///
/// [`shared`](crate::LayerExt::shared) makes a layer that has one instance on all routes, and so has every
/// clone of it: in scopes, through registrars, on static buses and on several buses. Those buses must have one
/// clock. A middleware in `.wrap(..)` is one instance for all its routes, too.
/// [`Bus::explain`](crate::Bus::explain) says which layers of a route are shared.
///
/// # A handler that is replaced
///
/// The layers of the crate keep their state where the same layer value, or a clone of it, stands at the same place
/// around the old handler: see [`Registrar::replace`](crate::Registrar::replace). A layer of yours can do so with
/// the instance that [`middleware`](Layer::middleware) is shown: share what it holds by an `Arc`.
///
/// # Example
///
/// ```
/// use arcbus::{Context, Error, Gate, Gated, InvalidSetting, Layer, Message, Outcome, RouteInfo};
///
/// struct Named { route: &'static str }
///
/// impl<M: Message> Gate<M> for Named {
///     type Pass<'a> = ();
///     fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
///         println!("-> {}", self.route);
///         Ok(())
///     }
///     fn leave(&self, (): (), outcome: &Outcome<M>, _cx: &Context<'_>) {
///         println!("<- {} {}", self.route, outcome.is_ok());
///     }
/// }
///
/// struct NamedLayer;
///
/// impl<M: Message> Layer<M> for NamedLayer {
///     type Middleware = Gated<Named>;
///     fn middleware(
///         &self,
///         route: &RouteInfo,
///         _previous: Option<&Gated<Named>>,
///     ) -> Result<Gated<Named>, InvalidSetting> {
///         Ok(Gated(Named { route: route.name() }))
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a layer for the message `{M}`",
    label = "`Layer<{M}>` is not implemented for `{Self}`",
    note = "a plain middleware goes into `.wrap(..)` instead of `.layer(..)`, a gate into `.wrap(Gated(..))`",
    note = "a layer that fits some messages only goes into `.scope(|s| s.layer(..).register(..))`"
)]
pub trait Layer<M: Message>: Send + Sync + 'static {
    /// What it makes.
    type Middleware: Middleware<M>;

    /// What it is for, where the order of layers matters. Default: nothing that matters to it.
    const ROLE: Role = Role::Other;

    /// The roles that it has in every dispatch: what the compiler may judge an order by.
    #[doc(hidden)]
    const ROLES: Roles = Roles::of(Self::ROLE);

    /// Makes the instance for `route`. Called once a registration, outside every lock.
    ///
    /// `previous` is the instance at the same place around the handler that is replaced, if it has the same type. It
    /// may be of another layer of that type, and it goes on working: dispatches that are in flight hold it. `None`
    /// for a handler that is new.
    ///
    /// # Errors
    ///
    /// Returns the first setting that is out of range. The registration is then refused with it.
    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting>;

    /// What it may do to a dispatch at worst, for [`explain`](crate::Bus::explain): of the message
    /// `M`, as set up. Default: [`unknown`](Facts::unknown).
    fn facts(&self) -> Facts {
        Facts::unknown()
    }

    /// How it is listed by [`routes`](crate::Bus::routes). Default: the type's name without its
    /// path. An empty name is not listed.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// `None` is the layer switched off: nothing but a branch is left of it.
impl<M: Message, L: Layer<M>> Layer<M> for Option<L> {
    type Middleware = Option<L::Middleware>;

    const ROLE: Role = L::ROLE;
    const ROLES: Roles = Roles::NONE;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let previous = previous.and_then(Option::as_ref);
        let layer = self.as_ref();
        layer
            .map(|layer| layer.middleware(route, previous))
            .transpose()
    }

    fn facts(&self) -> Facts {
        self.as_ref().map(Layer::facts).unwrap_or_default()
    }

    fn name(&self) -> &'static str {
        self.as_ref().map_or("", Layer::name)
    }
}

/// What is known of a layer of a route.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    name: &'static str,
    role: Role,
    facts: Facts,
}

impl LayerInfo {
    /// `None` of a layer that is switched off.
    pub(super) fn of<M: Message, L: Layer<M>>(layer: &L) -> Option<Self> {
        let name = layer.name();
        (!name.is_empty()).then(|| Self {
            name,
            role: L::ROLE,
            facts: layer.facts(),
        })
    }

    /// [`Layer::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// [`Layer::ROLE`].
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Whether its instance is shared with other routes; otherwise the route has one of its own.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.facts.shared
    }

    /// [`Layer::facts`], as they were when the route was registered.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// What is known of a route: message, kind, layers, and when it was registered.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    message: MessageType,
    /// `None` if there are none.
    layers: Option<Box<LayerList>>,
    registered_at: SystemTime,
    /// Of the bus, while the layers are made. None on a static bus, which has a handler for every message.
    unhandled: Option<PlainArc<Unhandled>>,
    settling: Settling,
}

/// The layers of a route, outermost first.
#[derive(Clone, Debug)]
struct LayerList {
    names: Box<[&'static str]>,
    layers: Vec<LayerInfo>,
}

impl RouteInfo {
    /// Describes a route without layers.
    #[inline]
    pub(super) fn bare(message: MessageType, registered_at: SystemTime) -> Self {
        Self {
            message,
            layers: None,
            registered_at,
            unhandled: None,
            settling: Settling::default(),
        }
    }

    /// Makes this the description of a route of `M`.
    #[inline]
    pub(crate) fn of_message<M: Message>(self) -> Self {
        let message = MessageType::of::<M>();
        Self { message, ..self }
    }

    /// Adds the layers.
    pub(super) fn layered(self, layers: Vec<LayerInfo>) -> Self {
        let names = layers.iter().map(LayerInfo::name).collect();
        Self {
            layers: Some(Box::new(LayerList { names, layers })),
            ..self
        }
    }

    /// Lets a layer act when the route is registered, and not if it is refused.
    pub(crate) fn when_registered(&self, settle: impl FnOnce(&Clock) + Send + Sync + 'static) {
        self.settling.push(Box::new(settle));
    }

    pub(crate) fn take_settling(&mut self) -> Vec<Settle> {
        self.settling.take()
    }

    /// Lends what the bus has no handler for while `make` makes the layers.
    pub(crate) fn on_bus<T>(
        &mut self,
        unhandled: &mut Option<PlainArc<Unhandled>>,
        make: impl FnOnce(&Self) -> T,
    ) -> T {
        mem::swap(&mut self.unhandled, unhandled);
        let made = make(self);
        mem::swap(&mut self.unhandled, unhandled);
        made
    }

    /// The messages that the bus of this route has no handler for: while the layers are made.
    pub(crate) fn unhandled(&self) -> Option<&PlainArc<Unhandled>> {
        self.unhandled.as_ref()
    }

    /// [`Message::NAME`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.message.name()
    }

    /// The message's name and Rust type.
    #[must_use]
    pub fn message(&self) -> MessageType {
        self.message
    }

    /// `"command"` or `"query"`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.message.kind()
    }

    /// The names of the layers around the handler, outermost first.
    #[must_use]
    #[inline]
    pub fn layers(&self) -> &[&'static str] {
        self.layers.as_ref().map_or(&[], |list| &list.names)
    }

    pub(crate) fn stack(&self) -> &[LayerInfo] {
        self.layers.as_ref().map_or(&[], |list| &list.layers)
    }

    /// When this handler was registered, by the system's clock. Handlers that are registered together, by
    /// one builder or in one [`update`](crate::Registrar::update), have one time: that at which the builder or
    /// the update began.
    #[must_use]
    pub fn registered_at(&self) -> SystemTime {
        self.registered_at
    }
}
