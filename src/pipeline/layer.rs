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

/// The configuration of a middleware, which makes an instance for each route.
///
/// # One instance a route
///
/// A layer makes a new instance, with state of its own, for each route that is registered below, and so does
/// a clone of the layer. `Bulkhead::new(8)` around three routes lets 24 dispatches run at once, and clones of
/// a breaker on two buses open independently. Clones of a layer have in common the list of their
/// [handles](crate::middleware::Handles) and the state that the layer's page names: the budget of a `Retry`,
/// the keys of an `Idempotency`.
///
/// [`shared`](crate::LayerExt::shared) makes a layer that has one instance on all routes. Every clone of the
/// shared layer has that instance: in scopes, through registrars, on static buses and on several buses, which
/// must have one clock. A middleware in `.wrap(..)` is also a single instance for all its routes.
/// [`Bus::explain`](crate::Bus::explain) lists the shared layers of a route.
///
/// # A handler that is replaced
///
/// The layers of the crate keep their state across a replacement if the layer value, or a clone, stands at an
/// unchanged place around the old handler. See [`Registrar::replace`](crate::Registrar::replace). A custom
/// layer can do so with the previous instance that [`middleware`](Layer::middleware) gets, by sharing its
/// state through an `Arc`.
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
    /// The type of middleware that this layer makes for the message.
    type Middleware: Middleware<M>;

    /// The purpose of this layer, which matters for the order of layers. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// The roles of this layer in every dispatch, by which the compiler may judge an order.
    #[doc(hidden)]
    const ROLES: Roles = Roles::of(Self::ROLE);

    /// Makes the instance for `route`. The bus calls this method once for each registration, outside every
    /// lock.
    ///
    /// `previous` is the instance at this place around the replaced handler, if its type is equal. The
    /// instance may belong to another layer of that type. Dispatches in flight hold it, so it goes on
    /// working. A new handler has no previous instance.
    ///
    /// # Errors
    ///
    /// Returns the first setting that is out of range. The registration is then refused with that error.
    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting>;

    /// Returns the worst that this layer may do to a dispatch of `M`, for [`explain`](crate::Bus::explain).
    /// Default: [`unknown`](Facts::unknown).
    fn facts(&self) -> Facts {
        Facts::unknown()
    }

    /// Returns the name by which [`routes`](crate::Bus::routes) lists the layer. Default: the type's name
    /// without its path. A layer with an empty name is not listed.
    fn name(&self) -> &'static str {
        short_type_name::<Self>()
    }
}

/// `None` is a layer that is switched off and costs only a branch.
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

/// A description of a layer of a route: its name, role and facts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LayerInfo {
    name: &'static str,
    role: Role,
    facts: Facts,
}

impl LayerInfo {
    /// Describes `layer`, or returns `None` if the layer is switched off.
    pub(super) fn of<M: Message, L: Layer<M>>(layer: &L) -> Option<Self> {
        let name = layer.name();
        (!name.is_empty()).then(|| Self {
            name,
            role: L::ROLE,
            facts: layer.facts(),
        })
    }

    /// Returns [`Layer::name`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns [`Layer::ROLE`].
    #[must_use]
    pub fn role(&self) -> Role {
        self.role
    }

    /// Returns whether several routes share the instance, or the route has an instance of its own.
    #[must_use]
    pub fn is_shared(&self) -> bool {
        self.facts.shared
    }

    /// Returns [`Layer::facts`], as of the registration of the route.
    pub fn facts(&self) -> &Facts {
        &self.facts
    }
}

/// A description of a route: message, kind, layers, and time of registration.
#[derive(Clone, Debug)]
pub struct RouteInfo {
    message: MessageType,
    /// `None` for a route without layers.
    layers: Option<Box<LayerList>>,
    registered_at: SystemTime,
    /// The unhandled messages of the bus, while the layers are made. `None` on a static bus, which handles
    /// every message.
    unhandled: Option<PlainArc<Unhandled>>,
    settling: Settling,
}

/// The names and descriptions of the layers of a route, outermost first.
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

    /// Adds the descriptions of the layers, outermost first.
    pub(super) fn layered(self, layers: Vec<LayerInfo>) -> Self {
        let names = layers.iter().map(LayerInfo::name).collect();
        Self {
            layers: Some(Box::new(LayerList { names, layers })),
            ..self
        }
    }

    /// Lets a layer act when the route is registered. The action is dropped if the route is refused.
    pub(crate) fn when_registered(&self, settle: impl FnOnce(&Clock) + Send + Sync + 'static) {
        self.settling.push(Box::new(settle));
    }

    pub(crate) fn take_settling(&mut self) -> Vec<Settle> {
        self.settling.take()
    }

    /// Lends the bus's list of unhandled messages while `make` makes the layers.
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

    /// Returns the messages for which the bus has no handler, known only while the layers are made.
    pub(crate) fn unhandled(&self) -> Option<&PlainArc<Unhandled>> {
        self.unhandled.as_ref()
    }

    /// Returns [`Message::NAME`].
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.message.name()
    }

    /// Returns the message's name and Rust type.
    #[must_use]
    pub fn message(&self) -> MessageType {
        self.message
    }

    /// Returns `"command"` or `"query"`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.message.kind()
    }

    /// Returns the names of the layers around the handler, outermost first.
    #[must_use]
    #[inline]
    pub fn layers(&self) -> &[&'static str] {
        self.layers.as_ref().map_or(&[], |list| &list.names)
    }

    pub(crate) fn stack(&self) -> &[LayerInfo] {
        self.layers.as_ref().map_or(&[], |list| &list.layers)
    }

    /// Returns the time of registration, by the system's clock. Handlers registered together, by one builder
    /// or in one [`update`](crate::Registrar::update), have the time at which the builder or the update
    /// began.
    #[must_use]
    pub fn registered_at(&self) -> SystemTime {
        self.registered_at
    }
}
