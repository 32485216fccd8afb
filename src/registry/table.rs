//! [`Table`]: one immutable version of the registry.

use std::any::TypeId;
use std::collections::{HashMap, TryReserveError};

use ahash::RandomState;

use super::entry::{Entries, Entry, Typed};
use super::error::RegistrationError;
use crate::message::Message;

/// The routes by message type, with the names beside them.
#[derive(Clone, Default)]
pub(crate) struct Table {
    entries: Entries,
    /// Invariant: exactly the names of `entries`, each with its message type.
    names: HashMap<&'static str, TypeId, RandomState>,
}

impl Table {
    /// An empty table with room for `capacity` routes, if there is memory for it.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, TryReserveError> {
        let mut table = Self {
            entries: Entries::with_capacity(capacity)?,
            names: HashMap::default(),
        };
        table.names.try_reserve(capacity)?;
        Ok(table)
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        self.entries.reserve(additional);
        self.names.reserve(additional);
    }

    /// The route of `M`.
    #[inline(always)]
    pub(crate) fn get<M: Message>(&self) -> Option<Typed<'_, M>> {
        self.entries.get::<M>()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.entries.into_entries()
    }

    /// Adds a route for a message that has none.
    pub(super) fn register(&mut self, entry: Entry) -> Result<(), (RegistrationError, Entry)> {
        let message = entry.info().message();
        if self.entries.find(entry.message()).is_some() {
            return Err((RegistrationError::Duplicate { message }, entry));
        }
        if message.name().is_empty() {
            return Err((RegistrationError::EmptyName { message }, entry));
        }
        if let Some(holder) = self
            .names
            .get(message.name())
            .and_then(|id| self.entries.find(*id))
        {
            let holder = holder.info().message();
            return Err((RegistrationError::NameClash { message, holder }, entry));
        }
        self.names.insert(message.name(), entry.message());
        self.entries.insert(entry);
        Ok(())
    }

    /// Puts `entry` in the place of the route its message has; returns that.
    pub(super) fn replace(&mut self, entry: Entry) -> Result<Entry, (RegistrationError, Entry)> {
        if self.entries.find(entry.message()).is_none() {
            let message = entry.info().message();
            return Err((RegistrationError::NotRegistered { message }, entry));
        }
        Ok(self.entries.insert(entry).expect("found above"))
    }

    /// Takes the route of a message out.
    pub(super) fn deregister<M: Message>(&mut self) -> Result<Entry, RegistrationError> {
        let entry =
            self.entries
                .remove(TypeId::of::<M>())
                .ok_or(RegistrationError::NotRegistered {
                    message: crate::MessageType::of::<M>(),
                })?;
        self.names.remove(M::NAME);
        Ok(entry)
    }
}
