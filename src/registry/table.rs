//! [`Table`]: an immutable version of the registry, and the [`Draft`] of the next version.

use std::any::TypeId;
use std::collections::{HashSet, TryReserveError};
use std::hash::{Hash, Hasher};

use ahash::RandomState;
use smallvec::SmallVec;

use super::erased::{Entries, Entry, Typed};
use super::error::RegistrationError;
use crate::message::{Message, MessageType};
use crate::random::random_state;

/// The routes of a bus, by message type.
#[derive(Clone, Default)]
pub(crate) struct Table {
    entries: Entries,
}

impl Table {
    /// Creates an empty table with room for `capacity` routes, if enough memory is available.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, TryReserveError> {
        let entries = Entries::with_capacity(capacity)?;
        Ok(Self { entries })
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        self.entries.reserve(additional);
    }

    pub(super) fn len(&self) -> usize {
        self.entries.len()
    }

    /// Returns the route of the message type `M`, if it has one.
    #[inline(always)]
    pub(crate) fn get<M: Message>(&self) -> Option<Typed<'_, M>> {
        self.entries.get::<M>()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Entry> {
        self.entries.iter()
    }

    /// The route of a message.
    pub(super) fn find(&self, message: TypeId) -> Option<&Entry> {
        self.entries.find(message)
    }

    pub(super) fn into_entries(self) -> impl Iterator<Item = Entry> {
        self.entries.into_entries()
    }

    /// Copies the routes of these message types from `newer`.
    pub(super) fn catch_up(&mut self, newer: &Self, changed: &[TypeId]) {
        for message in changed {
            match newer.entries.find(*message) {
                Some(entry) => self.entries.insert(entry.clone()),
                None => self.entries.remove(*message),
            };
        }
    }
}

/// The message types by name, at least those of the latest table. A name without a route in that
/// table is free.
#[derive(Default)]
pub(crate) struct Names(HashSet<ByName, RandomState>);

/// A message type that is hashed and compared by its name, as a key of the names.
struct ByName(MessageType);

impl PartialEq for ByName {
    fn eq(&self, other: &Self) -> bool {
        self.0.name() == other.0.name()
    }
}

impl Eq for ByName {}

impl Hash for ByName {
    fn hash<H: Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.name_hash());
    }
}

impl Names {
    /// Creates an empty map with room for `capacity` names, if enough memory is available.
    pub(crate) fn with_capacity(capacity: usize) -> Result<Self, TryReserveError> {
        let mut names = HashSet::with_hasher(random_state());
        names.try_reserve(capacity)?;
        Ok(Self(names))
    }

    /// Collects the names of the routes of `table`.
    pub(super) fn of(table: &Table) -> Self {
        let mut names = HashSet::with_hasher(random_state());
        names.extend(table.iter().map(|entry| ByName(entry.info().message())));
        Self(names)
    }

    pub(super) fn reserve(&mut self, additional: usize) {
        self.0.reserve(additional);
    }
}

/// The next table, while it is being changed.
pub(super) struct Draft<'w> {
    pub(super) table: &'w mut Table,
    pub(super) names: &'w mut Names,
    /// Collects the routes that are removed or rejected.
    pub(super) removed: &'w mut Vec<Entry>,
    /// The message types whose route was changed.
    pub(super) changed: SmallVec<[TypeId; 4]>,
}

impl Draft<'_> {
    /// Adds a route for a message that has no route.
    pub(super) fn register(&mut self, entry: Entry) -> Result<(), RegistrationError> {
        if let Err(error) = self.take_name(entry.info().message()) {
            self.removed.push(entry);
            return Err(error);
        }
        self.changed.push(entry.message());
        self.table.entries.insert(entry);
        Ok(())
    }

    /// Replaces the route of a message by `entry`.
    pub(super) fn replace(&mut self, entry: Entry) -> Result<(), RegistrationError> {
        if self.table.entries.find(entry.message()).is_none() {
            let message = entry.info().message();
            self.removed.push(entry);
            return Err(RegistrationError::NotRegistered { message });
        }
        self.changed.push(entry.message());
        self.removed.extend(self.table.entries.insert(entry));
        Ok(())
    }

    /// Removes the route of a message, and collects the route for a later drop.
    pub(super) fn deregister(&mut self, message: MessageType) -> Result<(), RegistrationError> {
        let Some(entry) = self.table.entries.remove(message.id()) else {
            return Err(RegistrationError::NotRegistered { message });
        };
        self.removed.push(entry);
        self.changed.push(message.id());
        self.names.0.remove(&ByName(message));
        Ok(())
    }

    /// Records the name of a message that is to be added. A new name belongs to no route, so the
    /// message has no route either. A refused name is recorded too: after an error the caller
    /// collects the names anew.
    fn take_name(&mut self, message: MessageType) -> Result<(), RegistrationError> {
        if message.name().chars().all(char::is_whitespace) {
            return Err(RegistrationError::EmptyName { message });
        }
        match self.names.0.replace(ByName(message)) {
            Some(ByName(holder)) if self.table.entries.find(holder.id()).is_some() => {
                Err(if holder == message {
                    RegistrationError::Duplicate { message }
                } else {
                    RegistrationError::NameClash { message, holder }
                })
            }
            _ => Ok(()),
        }
    }
}
