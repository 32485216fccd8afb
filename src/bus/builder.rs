//! [`BusBuilder`]: what a bus begins with.

use std::fmt;
use std::marker::PhantomData;

use super::Bus;
use crate::clock::Clock;
use crate::handler::Handler;
use crate::message::{Kind, Message, Same};
use crate::pipeline::{Joined, Layers, More, NoLayers, Stack, Wrapped};
use crate::registry::{Change, Registrar, RegistrationError, Store, Table, change};
use crate::setting::InvalidSetting;
use crate::sync::Arc;

/// Builds a bus: layers, handlers, settings.
///
/// A handler gets the layers that stand above its `register`, the first one outermost.
///
/// ```
/// use arcbus::{Command, CommandBus, Context, Message, from_fn, guard};
///
/// struct Rename(String);
/// impl Message for Rename {
///     const NAME: &'static str = "rename";
///     type Kind = Command;
///     type Reply = ();
///     type Error = String;
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
/// assert_eq!(bus.routes()[0].layers(), ["Guard"]);
/// # Ok(())
/// # }
/// ```
#[must_use = "a builder does nothing until `build` or `open`"]
pub struct BusBuilder<K, S = NoLayers> {
    layers: Layers<S>,
    settings: Settings,
    changes: Vec<Change>,
    _kind: PhantomData<fn() -> K>,
}

struct Settings {
    capacity: usize,
    /// Made when the bus is built: the first real clock of a process calibrates.
    clock: Option<Clock>,
}

impl<K: Kind> BusBuilder<K> {
    pub(super) fn new() -> Self {
        Self {
            layers: Layers::new(),
            settings: Settings {
                capacity: 32,
                clock: None,
            },
            changes: Vec::new(),
            _kind: PhantomData,
        }
    }
}

impl<K: Kind, S> BusBuilder<K, S> {
    /// Adds a layer inside the ones before it, around the handlers registered after it.
    pub fn layer<L>(self, layer: L) -> BusBuilder<K, More<S, L>> {
        let layers = self.layers.layer(layer);
        self.with_layers(layers)
    }

    /// Adds a plain middleware inside the layers before it, around the handlers registered after
    /// it, which share the one instance.
    pub fn wrap<W>(self, middleware: W) -> BusBuilder<K, More<S, Wrapped<W>>> {
        self.layer(Wrapped::new(middleware))
    }

    /// Adds a stack of layers inside the ones before it, around the handlers registered after it.
    pub fn layers<T>(self, layers: &Layers<T>) -> BusBuilder<K, Joined<S, T>> {
        let layers = self.layers.layers(layers);
        self.with_layers(layers)
    }

    /// Registers handlers with more layers; the layers added in `scope` end with it.
    pub fn scope<T>(self, scope: impl FnOnce(Self) -> BusBuilder<K, T>) -> Self {
        let layers = self.layers.clone();
        scope(self).with_layers(layers)
    }

    /// Registers the handler of a message. Mistakes are reported by [`build`](BusBuilder::build).
    pub fn register<M, H>(mut self, handler: H) -> Self
    where
        M: Message<Kind: Same<K>>,
        H: Handler<M>,
        S: Stack<M>,
    {
        self.changes
            .push(change(&self.layers, handler, Change::Register));
        self
    }

    /// For how many handlers the first table has room before it is made larger. At least 1, and no
    /// more than there is memory for.
    /// Default: 32.
    pub fn capacity(mut self, capacity: usize) -> Self {
        self.settings.capacity = capacity;
        self
    }

    /// Where the bus reads time. Default: [`Clock::new`].
    pub fn clock(mut self, clock: impl Into<Clock>) -> Self {
        self.settings.clock = Some(clock.into());
        self
    }

    /// The bus, with these handlers for good.
    ///
    /// # Errors
    ///
    /// The first message registered twice, without a name or with a name that is taken; a setting
    /// out of range.
    pub fn build(self) -> Result<Bus<K>, RegistrationError> {
        self.open().map(|(bus, _)| bus)
    }

    /// [`build`](BusBuilder::build) that refuses layers in a dangerous order: what
    /// [`Bus::explain`] warns of is an error.
    ///
    /// # Errors
    ///
    /// As [`build`](BusBuilder::build); and [`DangerousOrder`](RegistrationError::DangerousOrder) with all
    /// that is dangerous about the first such route. Nothing is built then.
    pub fn build_strict(self) -> Result<Bus<K>, RegistrationError> {
        self.open_strict().map(|(bus, _)| bus)
    }

    /// The bus, and the handle that changes its handlers while the program runs.
    ///
    /// # Errors
    ///
    /// As [`build`](BusBuilder::build).
    pub fn open(self) -> Result<(Bus<K>, Registrar<K, S>), RegistrationError> {
        self.make(false)
    }

    /// [`open`](BusBuilder::open) that refuses layers in a dangerous order, of these handlers and of those
    /// that are registered later.
    ///
    /// # Errors
    ///
    /// As [`build_strict`](BusBuilder::build_strict).
    pub fn open_strict(self) -> Result<(Bus<K>, Registrar<K, S>), RegistrationError> {
        self.make(true)
    }

    fn make(self, strict: bool) -> Result<(Bus<K>, Registrar<K, S>), RegistrationError> {
        let Settings { capacity, clock } = self.settings;
        if capacity == 0 {
            return Err(out_of_range("at least 1"));
        }
        let table = Table::with_capacity(capacity.max(self.changes.len()))
            .map_err(|_| out_of_range("small enough for the memory there is"))?;
        let store = Arc::new(Store::new(table, clock.unwrap_or_default(), strict));
        let _ = store.commit(self.changes)?;
        Ok((
            Bus::new(Arc::clone(&store)),
            Registrar::new(store, self.layers),
        ))
    }

    fn with_layers<T>(self, layers: Layers<T>) -> BusBuilder<K, T> {
        BusBuilder {
            layers,
            settings: self.settings,
            changes: self.changes,
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
