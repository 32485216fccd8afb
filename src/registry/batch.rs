//! [`Batch`]: changes that are made together or not at all.

use std::fmt;

use super::entry::Entry;
use super::error::RegistrationError;
use super::table::Table;
use crate::handler::Handler;
use crate::message::{Kind, Message, Same};
use crate::pipeline::{Layers, Stack};

/// One change to a table.
pub(crate) enum Change {
    Register(Entry),
    Replace(Entry),
    /// One that could not be prepared.
    Impossible(RegistrationError),
    Deregister(fn(&mut Table) -> Result<Entry, RegistrationError>),
}

impl Change {
    /// Makes the change to `table`; an entry that this removes, or that is refused, goes to `removed`.
    pub(super) fn apply(
        self,
        table: &mut Table,
        removed: &mut Vec<Entry>,
    ) -> Result<(), RegistrationError> {
        let (result, entry) = match self {
            Self::Register(entry) => match table.register(entry) {
                Ok(()) => (Ok(()), None),
                Err((error, refused)) => (Err(error), Some(refused)),
            },
            Self::Replace(entry) => match table.replace(entry) {
                Ok(old) => (Ok(()), Some(old)),
                Err((error, refused)) => (Err(error), Some(refused)),
            },
            Self::Impossible(error) => (Err(error), None),
            Self::Deregister(take) => match take(table) {
                Ok(old) => (Ok(()), Some(old)),
                Err(error) => (Err(error), None),
            },
        };
        removed.extend(entry);
        result
    }
}

/// Changes that are made together: given to the closure of [`Registrar::update`](super::Registrar::update).
///
/// Nothing happens to the registry while the closure runs, so it may call the registrar.
pub struct Batch<K, S> {
    layers: Layers<S>,
    changes: Vec<Change>,
    _kind: std::marker::PhantomData<fn() -> K>,
}

impl<K: Kind, S> Batch<K, S> {
    pub(crate) fn new(layers: Layers<S>) -> Self {
        Self {
            layers,
            changes: Vec::new(),
            _kind: std::marker::PhantomData,
        }
    }

    pub(crate) fn into_changes(self) -> Vec<Change> {
        self.changes
    }

    /// Adds a handler for a message that has none.
    pub fn register<M, H>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<M>, // of several messages? `register::<TheMessage, _>(handler)`
        M: Message<Kind: Same<K>>,
        S: Stack<M>,
    {
        self.changes
            .push(change(&self.layers, handler, Change::Register));
        self
    }

    /// Puts a handler in the place of the one the message has.
    pub fn replace<M, H>(&mut self, handler: H) -> &mut Self
    where
        H: Handler<M>, // of several messages? `replace::<TheMessage, _>(handler)`
        M: Message<Kind: Same<K>>,
        S: Stack<M>,
    {
        self.changes
            .push(change(&self.layers, handler, Change::Replace));
        self
    }

    /// Takes the message's handler out.
    pub fn deregister<M>(&mut self) -> &mut Self
    where
        M: Message<Kind: Same<K>>,
    {
        self.changes
            .push(Change::Deregister(Table::deregister::<M>));
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
    /// Itself, or the refusal of a route whose layers stand in a dangerous order.
    pub(super) fn in_good_order(self) -> Self {
        let (Self::Register(entry) | Self::Replace(entry)) = &self else {
            return self;
        };
        let warnings = entry.info().explain().warnings().to_vec();
        if warnings.is_empty() {
            return self;
        }
        let message = entry.info().message();
        Self::Impossible(RegistrationError::DangerousOrder { message, warnings })
    }
}

/// What to do with a route for `handler` that has an instance of every layer around it.
pub(crate) fn change<M, H, S>(
    layers: &Layers<S>,
    handler: H,
    with: impl FnOnce(Entry) -> Change,
) -> Change
where
    M: Message,
    H: Handler<M>,
    S: Stack<M>,
{
    let info = layers.info::<M>();
    match layers.around(&info, handler) {
        Ok(pipeline) => with(Entry::new::<M, _>(info, pipeline)),
        Err(invalid) => Change::Impossible(invalid.into()),
    }
}
