//! [`BusBuilder`]: the initial layers, handlers and settings of a bus.

use std::fmt;
use std::marker::PhantomData;
use std::mem;
use std::panic::Location;

use super::Bus;
use super::coverage::{Call, Coverage};
use crate::bounds::{HandlerFn, HandlerFnWith, MessageOn};
use crate::clock::Clock;
use crate::handler::{
    AsyncFnHandler, AsyncWithHandler, FnHandler, Handler, from_async_fn, from_async_fn_with,
    from_fn,
};
use crate::message::Kind;
use crate::pipeline::{Joined, Layers, More, NoLayers, Stack, Wrapped};
use crate::registry::{Batch, Changes, Names, Registrar, RegistrationError, Service, Store, Table};
use crate::setting::InvalidSetting;
use crate::sync::Arc;

/// Builds a bus from layers, handlers and settings.
///
/// A handler gets the layers added before its `register`, the first of them outermost. **A layer
/// wraps the handlers that are registered after it; axum's and tower's wrap everything added
/// before.** A layer without a handler after it is an error at [`build`](BusBuilder::build).
///
/// ```
/// use arcbus::{Command, CommandBus, Context, Message, from_fn, guard};
///
/// struct Rename(String);
/// impl Message for Rename {
///     const NAME: &'static str = "rename";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::builder()
///     .capacity(64)
///     .scope(|s| {
///         s.wrap(guard(|_: &Rename, _cx: &Context<'_>| Ok(())))
///             .register(from_fn(|_: Rename, _cx: &Context<'_>| Ok(())))
///     })
///     .build()?;
/// assert_eq!(bus.routes()[0].layers(), ["GuardGate"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `open`"]
pub struct BusBuilder<CommandOrQuery, S = NoLayers> {
    layers: Layers<S>,
    settings: Settings,
    changes: Changes,
    coverage: Coverage,
    _kind: PhantomData<fn() -> CommandOrQuery>,
}

struct Settings {
    capacity: usize,
    /// Created when the bus is built, because the first real clock of a process is calibrated.
    clock: Option<Clock>,
}

impl<K: Kind> BusBuilder<K> {
    pub(super) fn new() -> Self {
        Self {
            layers: Layers::new(),
            settings: Settings {
                capacity: 1,
                clock: None,
            },
            changes: Changes::new(),
            coverage: Coverage::default(),
            _kind: PhantomData,
        }
    }
}

impl<K: Kind, S> BusBuilder<K, S> {
    /// Adds a layer inside the earlier ones, around the handlers registered after it.
    #[track_caller]
    pub fn layer<L>(self, layer: L) -> BusBuilder<K, More<S, L>> {
        let layers = self.layers.layer(layer);
        self.grown(layers, Call::Layer, Location::caller())
    }

    /// Adds a plain middleware inside the earlier layers, around the handlers registered after it.
    /// These handlers share the instance.
    #[track_caller]
    pub fn wrap<W>(self, middleware: W) -> BusBuilder<K, More<S, Wrapped<W>>> {
        let layers = self.layers.wrap(middleware);
        self.grown(layers, Call::Wrap, Location::caller())
    }

    /// Adds a stack of layers inside the earlier ones, around the handlers registered after it.
    #[track_caller]
    pub fn layers<T>(self, layers: &Layers<T>) -> BusBuilder<K, Joined<S, T>> {
        let layers = self.layers.layers(layers);
        self.grown(layers, Call::Layers, Location::caller())
    }

    /// Registers handlers with more layers, which apply only to handlers registered in `scope`.
    #[track_caller]
    pub fn scope<T>(self, scope: impl FnOnce(Self) -> BusBuilder<K, T>) -> Self {
        let at = Location::caller();
        let mut inner = self;
        let layers = inner.layers.clone();
        let begun = inner.coverage.begin_scope();
        let outside = mem::replace(&mut inner.coverage, begun);
        let mut inner = scope(inner);
        let inside = mem::replace(&mut inner.coverage, outside);
        inner.coverage.end_scope(inside, at);
        inner.with_layers(layers)
    }

    /// Registers the handler of a message, whose mistakes [`build`](BusBuilder::build) reports.
    pub fn register<M, H>(mut self, handler: H) -> Self
    where
        H: Handler<M>, // of several messages? `register::<TheMessage, _>(handler)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.changes.register(&self.layers, handler);
        self.coverage.add_handler();
        self
    }

    /// Registers an async function or closure as the handler of its message argument, which a context may
    /// follow. Short for [`register`](Self::register) of a [`from_async_fn`].
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use arcbus::{Context, Message, Query, QueryBus};
    ///
    /// struct Double(u64);
    /// impl Message for Double {
    ///     const NAME: &'static str = "double";
    ///     type Kind = Query;
    ///     type Reply = u64;
    ///     type Error = Infallible;
    /// }
    ///
    /// async fn double(msg: Double) -> Result<u64, Infallible> {
    ///     Ok(msg.0 * 2)
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = QueryBus::builder().handle(double).build()?;
    /// assert_eq!(bus.execute_blocking(Double(21)), Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle<M, Shape, F>(self, function: F) -> Self
    where
        F: HandlerFn<M, Shape>,
        AsyncFnHandler<F, Shape>: Handler<M>, // not async? `.handle_sync(f)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.register(from_async_fn(function))
    }

    /// Registers a plain function or closure as the handler of its message argument, which a context may
    /// follow. Short for [`register`](Self::register) of a [`from_fn`].
    ///
    /// ```
    /// # use std::convert::Infallible;
    /// # use arcbus::{Message, Query, QueryBus};
    /// # struct Double(u64);
    /// # impl Message for Double {
    /// #     const NAME: &'static str = "double";
    /// #     type Kind = Query;
    /// #     type Reply = u64;
    /// #     type Error = Infallible;
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let factor = 2;
    /// let bus = QueryBus::builder()
    ///     .handle_sync(move |msg: Double| Ok(msg.0 * factor))
    ///     .build()?;
    /// assert_eq!(bus.execute_blocking(Double(21)), Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle_sync<M, Shape, F>(self, function: F) -> Self
    where
        F: HandlerFn<M, Shape>,
        FnHandler<F, Shape>: Handler<M>, // async? `.handle(f)`
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.register(from_fn(function))
    }

    /// Registers an async function or closure with a state as the handler of its message argument. The state
    /// comes first, by reference, and a context may come last. Short for [`register`](Self::register) of a
    /// [`from_async_fn_with`].
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use arcbus::{Message, Query, QueryBus};
    ///
    /// struct Times(u64);
    /// # impl Message for Times {
    /// #     const NAME: &'static str = "times";
    /// #     type Kind = Query;
    /// #     type Reply = u64;
    /// #     type Error = Infallible;
    /// # }
    ///
    /// async fn times(factor: &u64, msg: Times) -> Result<u64, Infallible> {
    ///     Ok(msg.0 * factor)
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = QueryBus::builder().handle_with(3_u64, times).build()?;
    /// assert_eq!(bus.execute_blocking(Times(14)), Ok(42));
    /// # Ok(())
    /// # }
    /// ```
    pub fn handle_with<M, Shape, T, F>(self, state: T, function: F) -> Self
    where
        F: HandlerFnWith<T, M, Shape>,
        AsyncWithHandler<T, F, Shape>: Handler<M>,
        M: MessageOn<K>,
        S: Stack<M>,
    {
        self.register(from_async_fn_with(state, function))
    }

    /// Registers each handler of a service that the macro [`#[handlers]`](crate::handlers) has implemented.
    /// The method [`build`](BusBuilder::build) reports mistakes.
    pub fn service<T: Service<K, S>>(self, service: Arc<T>) -> Self {
        let mut batch = Batch::new(self.layers, self.changes);
        T::register(&service, &mut batch);
        let (layers, changes) = batch.into_parts();
        let mut coverage = self.coverage;
        coverage.add_handler();
        Self {
            layers,
            changes,
            coverage,
            ..self
        }
    }

    /// Reserves room for at least this many handlers, so that registering up to that number later
    /// need not enlarge the table. At least 1, and limited by the available memory. Default: room
    /// for the handlers of the builder, in a table that grows with later ones.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.settings.capacity = capacity;
        self
    }

    /// Sets the clock from which the bus reads time for all policies. Default: [`Clock::new`].
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.settings.clock = Some(clock.into());
        self
    }

    /// Builds the bus, whose handlers never change.
    ///
    /// # Errors
    ///
    /// Returns the first of these errors, in this order, and builds nothing then:
    ///
    /// 1. A setting of the builder that is out of range.
    /// 2. The first handler whose message is registered already, whose name is blank or taken, or
    ///    whose layers have a setting out of range.
    /// 3. [`UnusedLayers`](RegistrationError::UnusedLayers): a layer, a wrapped middleware or a
    ///    scope without a handler after it. Layers that are switched off (`None`) may stand
    ///    anywhere. So may an optional layer inside another type (`Gated(Some(gate))`), because the
    ///    builder cannot see whether that is on.
    /// 4. [`AnotherClock`](RegistrationError::AnotherClock): a layer that shares state with a bus
    ///    that has another clock.
    pub fn build(mut self) -> Result<Bus<K>, RegistrationError> {
        self.coverage.complete();
        self.open().map(|(bus, _)| bus)
    }

    /// Builds the bus like [`build`](BusBuilder::build), and rejects layers in a dangerous order:
    /// warnings of [`Bus::explain`] are errors.
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`build`](BusBuilder::build), and
    /// [`DangerousOrder`](RegistrationError::DangerousOrder) with all warnings about the first such
    /// route. Nothing is built then.
    pub fn build_strict(mut self) -> Result<Bus<K>, RegistrationError> {
        self.coverage.complete();
        self.open_strict().map(|(bus, _)| bus)
    }

    /// Builds the bus, and a handle that changes its handlers while the program runs. The last
    /// layers belong to the handle, so they need no handler yet.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`build`](BusBuilder::build). Layers without a handler after them are
    /// rejected only inside a [`scope`](BusBuilder::scope), since the others may be for handlers
    /// that come later.
    pub fn open(self) -> Result<(Bus<K>, Registrar<K, S>), RegistrationError> {
        self.make(false)
    }

    /// Builds the bus like [`open`](BusBuilder::open), and rejects layers in a dangerous order, for
    /// these handlers and for handlers that are registered later.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`open`](BusBuilder::open), and
    /// [`DangerousOrder`](RegistrationError::DangerousOrder) like
    /// [`build_strict`](BusBuilder::build_strict).
    pub fn open_strict(self) -> Result<(Bus<K>, Registrar<K, S>), RegistrationError> {
        self.make(true)
    }

    fn make(mut self, strict: bool) -> Result<(Bus<K>, Registrar<K, S>), RegistrationError> {
        let Settings { capacity, clock } = self.settings;
        if capacity == 0 {
            return Err(out_of_range("at least 1"));
        }
        let room = capacity.max(self.changes.len());
        let (table, names) = Table::with_capacity(room)
            .and_then(|table| Ok((table, Names::with_capacity(room)?)))
            .map_err(|_| out_of_range("small enough for the memory there is"))?;
        let clock = clock.unwrap_or_default();
        let unhandled = self.changes.unhandled();
        let store = Arc::new(Store::new(table, names, clock, strict, unhandled));
        // The last change, so that mistakes of a handler are reported first.
        if let Some(refusal) = self.coverage.refusal() {
            self.changes.refuse(refusal);
        }
        let _ = store.commit(self.changes)?;
        Ok((
            Bus::new(Arc::clone(&store)),
            Registrar::new(store, self.layers),
        ))
    }

    /// Returns a builder with the layers of one user call added.
    fn grown<T>(
        mut self,
        layers: Layers<T>,
        call: Call,
        at: &'static Location<'static>,
    ) -> BusBuilder<K, T> {
        let added = &layers.names()[self.layers.names().len()..];
        self.coverage.add_layers(call, added, at);
        self.with_layers(layers)
    }

    fn with_layers<T>(self, layers: Layers<T>) -> BusBuilder<K, T> {
        BusBuilder {
            layers,
            settings: self.settings,
            changes: self.changes,
            coverage: self.coverage,
            _kind: PhantomData,
        }
    }
}

fn out_of_range(expected: &'static str) -> RegistrationError {
    InvalidSetting::new("capacity", expected).into()
}

impl<K: Kind, S> fmt::Debug for BusBuilder<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusBuilder")
            .field("kind", &K::NAME)
            .field("handlers", &self.changes.len())
            .finish_non_exhaustive()
    }
}
