//! [`Layers`]: a stack of layers that is not yet around a handler.

use std::time::SystemTime;

use super::chain::Chain;
use super::role::assert_order;
use super::shared::Wrapped;
use super::type_name::{may_be_off, short_type_name};
use super::{Layer, LayerInfo, Leaf, Next, Previous, Roles, RouteInfo};
use crate::handler::Handler;
use crate::message::{Message, MessageType};
use crate::setting::InvalidSetting;
use crate::sync::{Arc, PlainArc};

/// A stack of layers, outermost first. A builder holds a stack, and [`static_bus!`](crate::static_bus) takes
/// a stack.
///
/// ```
/// use arcbus::{Layers, NoLayers};
///
/// let layers: Layers<NoLayers> = Layers::new();
/// # let _ = layers;
/// ```
pub struct Layers<S = NoLayers> {
    stack: Arc<S>,
    /// The names of the layers that are switched on, taken from their types, outermost first.
    names: PlainArc<[&'static str]>,
}

/// The empty stack, in which the handler stands alone.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoLayers;

/// A stack with another layer inside its innermost layer.
pub struct More<S, L> {
    outer: Arc<S>,
    layer: L,
}

/// A stack with another stack inside its innermost layer.
pub struct Joined<S, T> {
    outer: Arc<S>,
    inner: Arc<T>,
}

impl Layers {
    /// Creates a stack without layers.
    #[must_use]
    pub fn new() -> Self {
        Self {
            stack: Arc::new(NoLayers),
            names: PlainArc::from([]),
        }
    }
}

impl Default for Layers {
    fn default() -> Self {
        Self::new()
    }
}

impl<S> Layers<S> {
    /// Adds a layer inside the previous layers.
    #[must_use]
    pub fn layer<L>(&self, layer: L) -> Layers<More<S, L>> {
        let name = (!may_be_off(&layer)).then(short_type_name::<L>);
        self.with(layer, name)
    }

    /// Adds a plain middleware inside the previous layers, whose single instance all routes share.
    #[must_use]
    pub fn wrap<W>(&self, middleware: W) -> Layers<More<S, Wrapped<W>>> {
        let name = (!may_be_off(&middleware)).then(short_type_name::<W>);
        self.with(Wrapped::new(middleware), name)
    }

    /// Adds a stack of layers inside the previous layers.
    #[must_use]
    pub fn layers<T>(&self, inner: &Layers<T>) -> Layers<Joined<S, T>> {
        let stack = Joined {
            outer: Arc::clone(&self.stack),
            inner: Arc::clone(&inner.stack),
        };
        Layers {
            stack: Arc::new(stack),
            names: self.names_and(&inner.names),
        }
    }

    fn with<L>(&self, layer: L, name: Option<&'static str>) -> Layers<More<S, L>> {
        let outer = Arc::clone(&self.stack);
        Layers {
            stack: Arc::new(More { outer, layer }),
            names: self.names_and(name.as_slice()),
        }
    }

    fn names_and(&self, inner: &[&'static str]) -> PlainArc<[&'static str]> {
        self.names.iter().chain(inner).copied().collect()
    }

    /// Returns the names of the layers known to be switched on, taken from their types, outermost first.
    pub(crate) fn names(&self) -> &[&'static str] {
        &self.names
    }

    pub(crate) fn info<M: Message>(&self, registered_at: SystemTime) -> RouteInfo
    where
        S: Stack<M>,
    {
        let bare = RouteInfo::bare(MessageType::of::<M>(), registered_at);
        let mut layers = Vec::new();
        self.stack.list(&mut layers);
        if layers.is_empty() {
            bare
        } else {
            bare.layered(layers)
        }
    }

    /// Describes the route of `M` on a static bus.
    #[doc(hidden)]
    pub fn route<M: Message>(&self) -> RouteInfo
    where
        S: Stack<M>,
    {
        self.info::<M>(SystemTime::now())
    }

    /// Wraps `handler` in an instance of every layer.
    ///
    /// # Errors
    ///
    /// Returns the first setting of a layer that is out of range, beginning with the outermost layer.
    pub(crate) fn around<M: Message, H: Handler<M>>(
        &self,
        info: &RouteInfo,
        previous: Previous<'_>,
        handler: H,
    ) -> Result<S::Around<Leaf<H>>, InvalidSetting>
    where
        S: Stack<M>,
    {
        let made = self.stack.make(info, previous)?;
        Ok(S::around(made, Leaf::new(handler)))
    }

    /// Wraps `handler` in an instance of every layer, for a static bus.
    ///
    /// # Panics
    ///
    /// If a setting of a layer is out of range.
    #[doc(hidden)]
    pub fn pipeline<M: Message, H: Handler<M>>(&self, handler: H) -> S::Around<Leaf<H>>
    where
        S: Stack<M>,
    {
        match self.around(&self.route::<M>(), Previous::of(None), handler) {
            Ok(pipeline) => pipeline,
            Err(invalid) => panic!("{invalid}"),
        }
    }
}

impl<S> Clone for Layers<S> {
    fn clone(&self) -> Self {
        Self {
            stack: Arc::clone(&self.stack),
            names: PlainArc::clone(&self.names),
        }
    }
}

debug_name!([S] Layers<S>, "Layers");

/// A stack whose every layer fits the message `M`, implemented for the stacks that [`Layers`] builds.
pub trait Stack<M: Message>: Send + Sync + 'static {
    /// The pipeline in which the stack stands around the inner service `N`.
    type Around<N: Next<M>>: Next<M>;

    /// An instance of every layer, not yet around a handler.
    #[doc(hidden)]
    type Made;

    /// The number of layers in the stack.
    #[doc(hidden)]
    const LEN: usize;

    /// The roles that the layers have in every dispatch.
    #[doc(hidden)]
    const ROLES: Roles;

    /// Makes an instance of every layer for `route`, the outermost first. Each layer gets the middleware at
    /// its place in `previous`.
    ///
    /// # Errors
    ///
    /// Returns the first setting that is out of range.
    #[doc(hidden)]
    fn make(&self, route: &RouteInfo, previous: Previous<'_>)
    -> Result<Self::Made, InvalidSetting>;

    /// Wraps the inner service `next` in the instances that [`make`](Stack::make) returned.
    #[doc(hidden)]
    fn around<N: Next<M>>(made: Self::Made, next: N) -> Self::Around<N>;

    /// Adds the descriptions of the layers, outermost first.
    fn list(&self, layers: &mut Vec<LayerInfo>);
}

impl<M: Message> Stack<M> for NoLayers {
    type Around<N: Next<M>> = N;
    type Made = ();
    const LEN: usize = 0;
    const ROLES: Roles = Roles::NONE;

    fn make(&self, _route: &RouteInfo, _previous: Previous<'_>) -> Result<(), InvalidSetting> {
        Ok(())
    }

    fn around<N: Next<M>>((): (), next: N) -> N {
        next
    }

    fn list(&self, _layers: &mut Vec<LayerInfo>) {}
}

impl<M: Message, S: Stack<M>, L: Layer<M>> Stack<M> for More<S, L> {
    type Around<N: Next<M>> = S::Around<Chain<L::Middleware, N>>;
    type Made = (S::Made, L::Middleware);
    const LEN: usize = S::LEN + 1;
    const ROLES: Roles = S::ROLES.and(L::ROLES);

    fn make(
        &self,
        route: &RouteInfo,
        previous: Previous<'_>,
    ) -> Result<Self::Made, InvalidSetting> {
        const { assert_order(S::ROLES, L::ROLES) };
        let outer = self.outer.make(route, previous)?;
        let previous = previous.inside(S::LEN).outermost();
        Ok((outer, self.layer.middleware(route, previous)?))
    }

    fn around<N: Next<M>>((outer, middleware): Self::Made, next: N) -> Self::Around<N> {
        S::around(outer, Chain::new(middleware, next))
    }

    fn list(&self, layers: &mut Vec<LayerInfo>) {
        self.outer.list(layers);
        layers.extend(LayerInfo::of::<M, L>(&self.layer));
    }
}

impl<M: Message, S: Stack<M>, T: Stack<M>> Stack<M> for Joined<S, T> {
    type Around<N: Next<M>> = S::Around<T::Around<N>>;
    type Made = (S::Made, T::Made);
    const LEN: usize = S::LEN + T::LEN;
    const ROLES: Roles = S::ROLES.and(T::ROLES);

    fn make(
        &self,
        route: &RouteInfo,
        previous: Previous<'_>,
    ) -> Result<Self::Made, InvalidSetting> {
        const { assert_order(S::ROLES, T::ROLES) };
        let outer = self.outer.make(route, previous)?;
        let inner = self.inner.make(route, previous.inside(S::LEN))?;
        Ok((outer, inner))
    }

    fn around<N: Next<M>>((outer, inner): Self::Made, next: N) -> Self::Around<N> {
        S::around(outer, T::around(inner, next))
    }

    fn list(&self, layers: &mut Vec<LayerInfo>) {
        self.outer.list(layers);
        self.inner.list(layers);
    }
}

debug_name!([S, T] Joined<S, T>, "Joined");

debug_name!([S, L] More<S, L>, "More");
