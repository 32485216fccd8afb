//! [`Registrar`]: the handle that changes the registry.

use std::fmt;
use std::marker::PhantomData;

use super::batch::{Batch, Changes};
use super::error::RegistrationError;
use super::retired::Retired;
use super::service::Service;
use super::store::Store;
use crate::bounds::{HandlerFn, HandlerFnWith, MessageOn};
use crate::explain::Explanation;
use crate::handler::{
    AsyncFnHandler, AsyncWithHandler, FnHandler, Handler, from_async_fn, from_async_fn_with,
    from_fn,
};
use crate::message::{Kind, Message, Same};
use crate::pipeline::{Layers, More, NoLayers, Stack, Wrapped};
use crate::sync::Arc;

/// Changes the handlers of a bus while the program runs. Returned by
/// [`open`](crate::BusBuilder::open), and cheap to clone.
///
/// The registrar carries the type of its layers, so that the bus need not. A handler gets the
/// layers of the registrar that registers it. Therefore a `replace` through a registrar with other
/// layers changes the layers, too.
///
/// Every method may be called from a handler, from a handler's `Drop`, and inside
/// [`update`](Registrar::update).
///
/// ```
/// use arcbus::{Context, Message, Query, QueryBus, from_fn};
///
/// struct Ping;
/// impl Message for Ping {
///     const NAME: &'static str = "ping";
///     type Kind = Query;
///     type Reply = u32;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let (bus, registrar) = QueryBus::builder().open()?;
/// registrar.register(from_fn(|_: Ping, _cx: &Context<'_>| Ok(1)))?;
/// assert_eq!(bus.execute_blocking(Ping), Ok(1));
///
/// let _ = registrar.deregister::<Ping>()?;
/// assert!(bus.execute_blocking(Ping).unwrap_err().is_handler_not_found());
/// # Ok(())
/// # }
/// ```
pub struct Registrar<CommandOrQuery, S = NoLayers> {
    store: Arc<Store>,
    layers: Layers<S>,
    _kind: PhantomData<fn() -> CommandOrQuery>,
}

impl<K: Kind, S> Registrar<K, S> {
    pub(crate) fn new(store: Arc<Store>, layers: Layers<S>) -> Self {
        Self {
            store,
            layers,
            _kind: PhantomData,
        }
    }

    /// Returns a registrar with one more layer, inside the layers of this registrar.
    #[must_use]
    pub fn layer<L>(&self, layer: L) -> Registrar<K, More<S, L>> {
        Registrar::new(Arc::clone(&self.store), self.layers.layer(layer))
    }

    /// Returns a registrar with one more plain middleware, inside the layers of this registrar.
    #[must_use]
    pub fn wrap<W>(&self, middleware: W) -> Registrar<K, More<S, Wrapped<W>>> {
        self.layer(Wrapped::new(middleware))
    }

    /// Adds a handler for a message that has no handler.
    ///
    /// # Errors
    ///
    /// Returns [`Duplicate`](RegistrationError::Duplicate),
    /// [`EmptyName`](RegistrationError::EmptyName) or [`NameClash`](RegistrationError::NameClash),
    /// and then changes nothing.
    pub fn register<M, H>(&self, handler: H) -> Result<(), RegistrationError>
    where
        H: Handler<M>, // of several messages? `register::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        let mut changes = self.changes();
        changes.register(&self.layers, handler);
        self.commit(changes).map(drop)
    }

    /// Registers an async function or closure as the handler of its message argument, which a
    /// context may follow. Short for [`register`](Self::register) of a [`from_async_fn`].
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`register`](Self::register), and then changes
    /// nothing.
    pub fn handle<M, Shape, F>(&self, function: F) -> Result<(), RegistrationError>
    where
        F: HandlerFn<M, Shape>,
        AsyncFnHandler<F, Shape>: Handler<M>, // not async? `.handle_sync(f)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.register(from_async_fn(function))
    }

    /// Registers a plain function or closure as the handler of its message argument, which a
    /// context may follow. Short for [`register`](Self::register) of a [`from_fn`].
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`register`](Self::register), and then changes
    /// nothing.
    pub fn handle_sync<M, Shape, F>(&self, function: F) -> Result<(), RegistrationError>
    where
        F: HandlerFn<M, Shape>,
        FnHandler<F, Shape>: Handler<M>, // async? `.handle(f)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.register(from_fn(function))
    }

    /// Registers an async function or closure with a state as the handler of its message argument.
    /// The state comes first, by reference, and a context may come last. Short for
    /// [`register`](Self::register) of a [`from_async_fn_with`].
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`register`](Self::register), and then changes
    /// nothing.
    pub fn handle_with<M, Shape, T, F>(
        &self,
        state: T,
        function: F,
    ) -> Result<(), RegistrationError>
    where
        F: HandlerFnWith<T, M, Shape>,
        AsyncWithHandler<T, F, Shape>: Handler<M>,
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.register(from_async_fn_with(state, function))
    }

    /// Registers each handler of a service that the macro [`#[handlers]`](crate::handlers) has
    /// implemented.
    ///
    /// # Errors
    ///
    /// Returns the error of the first handler that [`register`](Self::register) would reject, and
    /// then changes nothing.
    pub fn service<T: Service<K, S>>(&self, service: Arc<T>) -> Result<(), RegistrationError> {
        self.update(|batch| T::register(&service, batch)).map(drop)
    }

    /// Adds a handler like [`register`](Registrar::register), for handlers that must exist.
    ///
    /// # Panics
    ///
    /// Panics with the text of the error in the cases in which `register` returns one.
    pub fn must_register<M, H>(&self, handler: H)
    where
        H: Handler<M>, // of several messages? `must_register::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        if let Err(error) = self.register::<M, H>(handler) {
            panic!("{error}");
        }
    }

    /// Replaces the handler of a message in a single swap, so that no dispatch finds none.
    ///
    /// # State of the layers
    ///
    /// A layer keeps its state where the same layer value, or a clone of it, stands at the same place around the
    /// old handler; any other layer begins anew. Limits protect the backend, and a new handler does not change that:
    /// an open breaker stays open, tokens that were taken stay taken, and dispatches that are in flight in the old
    /// handler hold their permits until they end. After [`deregister`](Self::deregister) and
    /// [`register`](Self::register) every layer begins anew. The guide lists what
    /// [each layer keeps](crate::docs::guide#changing-handlers-while-running).
    ///
    /// A limit that was set by a [handle](crate::middleware::Handles) stays, unless the new layer is a clone that was
    /// given other limits than the layer before it: those hold from the swap on.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::middleware::RateLimit;
    /// use arcbus::{Message, Query, QueryBus, from_fn};
    /// # struct Ping;
    /// # impl Message for Ping {
    /// #     const NAME: &'static str = "ping";
    /// #     type Kind = Query;
    /// #     type Reply = u32;
    /// #     type Error = std::convert::Infallible;
    /// # }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let limit = RateLimit::new(1, Duration::from_secs(3600));
    /// let (bus, registrar) = QueryBus::builder().layer(limit).open()?;
    /// registrar.register(from_fn(|_: Ping| Ok(1)))?;
    /// assert_eq!(bus.execute_blocking(Ping), Ok(1));
    ///
    /// let _ = registrar.replace(from_fn(|_: Ping| Ok(2)))?;
    /// assert!(bus.execute_blocking(Ping).unwrap_err().is_rate_limited());
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    ///
    /// Returns [`NotRegistered`](RegistrationError::NotRegistered), and then changes nothing.
    pub fn replace<M, H>(&self, handler: H) -> Result<Retired, RegistrationError>
    where
        H: Handler<M>, // of several messages? `replace::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        let mut changes = self.changes();
        changes.replace(&self.layers, handler);
        self.commit(changes)
    }

    /// Removes the handler of a message, which later dispatches then do not find.
    ///
    /// # Errors
    ///
    /// Returns [`NotRegistered`](RegistrationError::NotRegistered), and then changes nothing.
    pub fn deregister<M>(&self) -> Result<Retired, RegistrationError>
    where
        M: Message<Kind: Same<K>>,
    {
        let mut changes = self.changes();
        changes.deregister::<M>();
        self.commit(changes)
    }

    /// Makes several changes together, with one copy of the table and one swap, or makes none. A
    /// reader sees the table either before all changes or after all changes.
    ///
    /// The changes are collected while `changes` runs, and are applied in their order after the
    /// closure has returned.
    ///
    /// # Errors
    ///
    /// Returns the error of the first change that cannot be made, and then changes nothing.
    pub fn update(
        &self,
        changes: impl FnOnce(&mut Batch<K, S>),
    ) -> Result<Retired, RegistrationError> {
        let mut batch = Batch::new(self.layers.clone(), self.changes());
        changes(&mut batch);
        self.commit(batch.into_changes())
    }

    /// Returns the worst case of the message's route as it is registered, like
    /// [`Bus::explain`](crate::Bus::explain).
    ///
    /// # Errors
    ///
    /// Returns [`NotRegistered`](RegistrationError::NotRegistered) if the message has no handler.
    pub fn explain<M>(&self) -> Result<Explanation, RegistrationError>
    where
        M: Message<Kind: Same<K>>,
    {
        self.store.explain::<M>()
    }

    fn changes(&self) -> Changes {
        Changes::to(&self.store)
    }

    fn commit(&self, changes: Changes) -> Result<Retired, RegistrationError> {
        let tomb = self.store.commit(changes)?;
        Ok(Retired::new(Arc::clone(&self.store), tomb))
    }

    /// Frees tables and routes that readers have released since the last change, and the spare
    /// table for the next change. Every change frees the former, too. Call this method where memory
    /// matters and changes are rare.
    pub fn reclaim(&self) {
        self.store.free_spare();
        self.store.reclaim();
    }
}

impl<K, S> Clone for Registrar<K, S> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            layers: self.layers.clone(),
            _kind: PhantomData,
        }
    }
}

impl<K: Kind, S> fmt::Debug for Registrar<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Registrar({})", K::NAME)
    }
}
