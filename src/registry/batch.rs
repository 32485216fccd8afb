//! [`Batch`]: changes that are made together or not at all.

use std::fmt;
use std::mem;
use std::time::SystemTime;

use smallvec::SmallVec;

use super::erased::Entry;
use super::error::RegistrationError;
use super::service::Service;
use super::table::Draft;
use crate::bounds::{HandlerFn, HandlerFnWith, MessageOn};
use crate::handler::{
    AsyncFnHandler, AsyncWithHandler, FnHandler, Handler, from_async_fn, from_async_fn_with,
    from_fn,
};
use crate::message::{Kind, Message, MessageType, Same};
use crate::pipeline::{Layers, Stack, Ties};
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
    list: SmallVec<[Change; 1]>,
    ties: Ties,
    made_at: SystemTime,
    /// The bus's count of messages without a handler. Each route borrows it while its layers are
    /// created, because a share for each route would cost a count.
    unhandled: Option<PlainArc<Unhandled>>,
}

impl Changes {
    /// Creates an empty list of changes, and reads the clock once for all of them.
    pub(crate) fn new(unhandled: PlainArc<Unhandled>) -> Self {
        Self {
            list: SmallVec::new(),
            ties: Ties::default(),
            made_at: SystemTime::now(),
            unhandled: Some(unhandled),
        }
    }

    /// Adds a route for `handler` with its own instance of every layer.
    pub(crate) fn add<M, H, S>(
        &mut self,
        layers: &Layers<S>,
        handler: H,
        with: impl FnOnce(Entry) -> Change,
    ) where
        M: Message,
        H: Handler<M>,
        S: Stack<M>,
    {
        let mut info = layers.info::<M>(self.made_at);
        self.ties.add(&info);
        let made = info.on_bus(&mut self.unhandled, |info| layers.around(info, handler));
        self.list.push(match made {
            Ok(pipeline) => with(Entry::new::<M, _>(info, pipeline)),
            Err(invalid) => Change::Impossible(Box::new(invalid.into())),
        });
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
    pub(crate) fn new(layers: Layers<S>, unhandled: PlainArc<Unhandled>) -> Self {
        Self::of(layers, Changes::new(unhandled))
    }

    /// Creates a batch with the changes of a builder.
    pub(crate) fn of(layers: Layers<S>, changes: Changes) -> Self {
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
        self.changes.add(&self.layers, handler, Change::Register);
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

    /// Replaces the handler of a message, which must have one.
    pub fn replace<M, H>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<M>, // of several messages? `replace::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.changes.add(&self.layers, handler, Change::Replace);
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
