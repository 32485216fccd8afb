//! [`Batch`]: changes that are made together or not at all.

use std::any::TypeId;
use std::fmt;
use std::mem;
use std::time::SystemTime;

use smallvec::SmallVec;

use super::erased::Entry;
use super::error::RegistrationError;
use super::service::Service;
use super::store::Store;
use super::table::Draft;
use crate::bounds::{HandlerFn, HandlerFnWith, MessageOn};
use crate::handler::{
    AsyncFnHandler, AsyncWithHandler, FnHandler, Handler, from_async_fn, from_async_fn_with,
    from_fn,
};
use crate::message::{Kind, Message, MessageType, Same};
use crate::pipeline::{Layers, Previous, RouteInfo, Settle, Stack, Ties};
use crate::registry::Unhandled;
use crate::sync::{Arc, PlainArc};

/// A single change to a table, prepared outside the lock.
pub(crate) enum Change {
    Register(Entry),
    Replace(Entry),
    /// A change that could not be prepared. The error is boxed, so that the other variants are
    /// small.
    Impossible(Box<RegistrationError>),
    Deregister(MessageType),
}

impl Change {
    /// Returns the route that the change leaves a message with, if it changes that message.
    fn leaves(&self, message: TypeId) -> Option<Option<&Entry>> {
        match self {
            Self::Register(entry) | Self::Replace(entry) => {
                (entry.message() == message).then_some(Some(entry))
            }
            Self::Deregister(changed) => (changed.id() == message).then_some(None),
            Self::Impossible(_) => None,
        }
    }

    /// Applies the change to `draft`, or returns the error of a change that is impossible.
    pub(super) fn apply(self, draft: &mut Draft<'_>) -> Result<(), RegistrationError> {
        match self {
            Self::Register(entry) => draft.register(entry),
            Self::Replace(entry) => draft.replace(entry),
            Self::Impossible(error) => Err(*error),
            Self::Deregister(message) => draft.deregister(message),
        }
    }
}

/// Changes in their order, with the time at which they take effect.
pub(crate) struct Changes {
    store: Option<Arc<Store>>,
    list: SmallVec<[Change; 1]>,
    ties: Ties,
    settling: Vec<Settle>,
    made_at: SystemTime,
    /// The bus's count of messages without a handler. Each route borrows it while its layers are
    /// created, because a share for each route would cost a count.
    unhandled: Option<PlainArc<Unhandled>>,
}

impl Changes {
    /// Creates an empty list of a builder, and reads the clock once for all of its changes.
    pub(crate) fn new() -> Self {
        Self::of(PlainArc::default(), None)
    }

    /// Creates an empty list of changes to `store`.
    pub(super) fn to(store: &Arc<Store>) -> Self {
        let unhandled = PlainArc::clone(store.unhandled());
        Self::of(unhandled, Some(Arc::clone(store)))
    }

    fn of(unhandled: PlainArc<Unhandled>, store: Option<Arc<Store>>) -> Self {
        Self {
            store,
            list: SmallVec::new(),
            ties: Ties::default(),
            settling: Vec::new(),
            made_at: SystemTime::now(),
            unhandled: Some(unhandled),
        }
    }

    /// Adds a route for `handler` with a new instance of every layer.
    pub(crate) fn register<M, H, S>(&mut self, layers: &Layers<S>, handler: H)
    where
        M: Message,
        H: Handler<M>,
        S: Stack<M>,
    {
        let made = self.make(layers, handler, None);
        self.list
            .push(made.map_or_else(Change::Impossible, Change::Register));
    }

    /// Adds a route for `handler` in the place of another one. Shows its layers the instances of the route
    /// that an earlier change of this list leaves, or else of the route in the store.
    pub(crate) fn replace<M, H, S>(&mut self, layers: &Layers<S>, handler: H)
    where
        M: Message,
        H: Handler<M>,
        S: Stack<M>,
    {
        let message = TypeId::of::<M>();
        let mut newest_first = self.list.iter().rev();
        let previous = match newest_first.find_map(|change| change.leaves(message)) {
            Some(left) => left.cloned(),
            None => self.store.as_ref().and_then(|store| store.find(message)),
        };
        let made = self.make(layers, handler, previous);
        self.list
            .push(made.map_or_else(Change::Impossible, Change::Replace));
    }

    fn make<M, H, S>(
        &mut self,
        layers: &Layers<S>,
        handler: H,
        previous: Option<Entry>,
    ) -> Result<Entry, Box<RegistrationError>>
    where
        M: Message,
        H: Handler<M>,
        S: Stack<M>,
    {
        let mut info = layers.info::<M>(self.made_at);
        self.ties.add(&info);
        let previous = Previous::of(previous.as_ref().map(Entry::places));
        let make = |info: &RouteInfo| layers.around(info, previous, handler);
        let pipeline = info.on_bus(&mut self.unhandled, make);
        let pipeline = pipeline.map_err(|invalid| Box::new(invalid.into()))?;
        self.settling.extend(info.take_settling());
        Ok(Entry::new::<M, _>(info, pipeline))
    }

    pub(super) fn deregister<M: Message>(&mut self) {
        self.list.push(Change::Deregister(MessageType::of::<M>()));
    }

    /// Adds an error that rejects the whole list.
    pub(crate) fn refuse(&mut self, error: RegistrationError) {
        self.list.push(Change::Impossible(Box::new(error)));
    }

    /// Returns the bus's counts of messages without a handler, or new ones for no bus.
    pub(crate) fn unhandled(&self) -> PlainArc<Unhandled> {
        self.unhandled.clone().unwrap_or_default()
    }

    pub(crate) fn len(&self) -> usize {
        self.list.len()
    }

    /// Removes and returns the ties of the routes to a clock.
    pub(super) fn take_ties(&mut self) -> Ties {
        mem::take(&mut self.ties)
    }

    /// Takes the acts of layers that wait until the changes are made.
    pub(super) fn take_settling(&mut self) -> Vec<Settle> {
        mem::take(&mut self.settling)
    }

    /// Replaces routes whose layers stand in a dangerous order by errors.
    pub(super) fn in_good_order(self) -> Self {
        let list = self.list.into_iter().map(Change::in_good_order).collect();
        Self { list, ..self }
    }
}

impl IntoIterator for Changes {
    type Item = Change;
    type IntoIter = smallvec::IntoIter<[Change; 1]>;

    fn into_iter(self) -> Self::IntoIter {
        self.list.into_iter()
    }
}

/// Changes that are made together, in the closure of
/// [`Registrar::update`](super::Registrar::update).
///
/// The registry does not change while the closure runs, so the closure may call the registrar.
pub struct Batch<K, S> {
    layers: Layers<S>,
    changes: Changes,
    _kind: std::marker::PhantomData<fn() -> K>,
}

impl<K: Kind, S> Batch<K, S> {
    pub(crate) fn new(layers: Layers<S>, changes: Changes) -> Self {
        Self {
            layers,
            changes,
            _kind: std::marker::PhantomData,
        }
    }

    pub(crate) fn into_parts(self) -> (Layers<S>, Changes) {
        (self.layers, self.changes)
    }

    pub(crate) fn into_changes(self) -> Changes {
        self.changes
    }

    /// Adds a handler for a message that has no handler.
    pub fn register<M, H>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<M>, // of several messages? `register::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.changes.register(&self.layers, handler);
        self
    }

    /// Registers an async function or closure as the handler of its message argument, which a
    /// context may follow. Short for [`register`](Self::register) of a [`from_async_fn`].
    pub fn handle<M, Shape, F>(&mut self, function: F) -> &mut Self
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
    pub fn handle_sync<M, Shape, F>(&mut self, function: F) -> &mut Self
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
    pub fn handle_with<M, Shape, T, F>(&mut self, state: T, function: F) -> &mut Self
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
    pub fn service<T: Service<K, S>>(&mut self, service: Arc<T>) -> &mut Self {
        T::register(&service, self);
        self
    }

    /// Replaces the handler of a message, which must have one. Its layers keep their state, as with
    /// [`Registrar::replace`](super::Registrar::replace): that of the route in the table, or of an earlier change
    /// of this batch.
    pub fn replace<M, H>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<M>, // of several messages? `replace::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.changes.replace(&self.layers, handler);
        self
    }

    /// Removes the handler of a message, which must have one.
    pub fn deregister<M>(&mut self) -> &mut Self
    where
        M: Message<Kind: Same<K>>,
    {
        self.changes.deregister::<M>();
        self
    }
}

impl<K, S> fmt::Debug for Batch<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch")
            .field("changes", &self.changes.len())
            .finish_non_exhaustive()
    }
}

impl Change {
    /// Returns the change, or an error if the layers of its route stand in a dangerous order.
    fn in_good_order(self) -> Self {
        let (Self::Register(entry) | Self::Replace(entry)) = &self else {
            return self;
        };
        let warnings = entry.info().explain().warnings().to_vec();
        if warnings.is_empty() {
            return self;
        }
        let message = entry.info().message();
        Self::Impossible(Box::new(RegistrationError::DangerousOrder {
            message,
            warnings,
        }))
    }
}
