//! [`Store`]: the published table and those who change it.
//!
//! Readers load the table and never wait. Writers take turns on a mutex: copy the table, change the
//! copy, publish it. What a swap replaced, table and routes alike, goes to the graveyard, which holds
//! one share of each until it is the only owner: so a reader gives up shares but never frees, and a
//! route that nobody but the graveyard owns is not running anywhere.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};

use super::batch::Change;
use super::entry::{Entry, Typed};
use super::error::RegistrationError;
use super::table::Table;
use super::tomb::{Ticket, Tomb};
use crate::clock::Clock;
use crate::explain::Explanation;
use crate::message::{Message, MessageType};
use crate::sync::{Arc, Mutex, Publishes, Snapshot};
use crate::unwind::drop_caught;

pub(crate) struct Store {
    table: Snapshot<Table>,
    clock: Clock,
    /// Whether a route with layers in a dangerous order is refused.
    strict: bool,
    graveyard: Mutex<Graveyard>,
}

/// What readers may still use. Its lock is the one writers take turns on.
#[derive(Default)]
struct Graveyard {
    tables: Vec<Arc<Table>>,
    routes: Vec<Buried>,
}

/// A route that was taken out of the table. Dropped in this order, so that the ticket is given up
/// when the handler is gone.
struct Buried {
    entry: Entry,
    _ticket: Ticket,
}

impl Store {
    pub(crate) fn new(table: Table, clock: Clock, strict: bool) -> Self {
        Self {
            table: Snapshot::new(table),
            clock,
            strict,
            graveyard: Mutex::new(Graveyard::default()),
        }
    }

    #[inline(always)]
    pub(crate) fn table(&self) -> &Snapshot<Table> {
        &self.table
    }

    #[inline(always)]
    pub(crate) fn clock(&self) -> &Clock {
        &self.clock
    }

    /// Makes all of `changes` or none, in one swap. What they take out is counted in the tomb.
    ///
    /// No user code runs under the lock: routes are made before, and dropped after it.
    pub(crate) fn commit(&self, changes: Vec<Change>) -> Result<Arc<Tomb>, RegistrationError> {
        let mut changes = self.judged(changes).into_iter();
        let mut removed = Vec::new();
        let tomb = {
            let mut graveyard = self.graveyard.lock();
            let mut table = Table::clone(&self.table.load_full());
            table.reserve(changes.len());
            match changes.try_for_each(|change| change.apply(&mut table, &mut removed)) {
                Ok(()) => Ok(graveyard.bury(self.table.swap(Arc::new(table)), &mut removed)),
                Err(error) => Err((error, table)),
            }
        };
        match tomb {
            Ok(tomb) => {
                self.reclaim();
                Ok(tomb)
            }
            Err((error, copy)) => {
                removed.extend(copy.into_entries());
                // Shares of what stays go first: a refused handler's drop may wait for its end.
                removed.retain_mut(Entry::is_unique);
                self.reclaim();
                Err(error)
            }
        }
    }

    /// The changes, of which a strict bus refuses some. Refused routes are dropped here.
    fn judged(&self, changes: Vec<Change>) -> Vec<Change> {
        if !self.strict {
            return changes;
        }
        changes.into_iter().map(Change::in_good_order).collect()
    }

    /// What the route of `M` may do at worst.
    pub(crate) fn explain<M: Message>(&self) -> Result<Explanation, RegistrationError> {
        let route = self.table.load().get::<M>().map(Typed::pin);
        match route {
            Some(route) => Ok(route.info().explain()),
            None => Err(RegistrationError::NotRegistered {
                message: MessageType::of::<M>(),
            }),
        }
    }

    /// Frees what nobody uses any more. Tables go first: they own routes.
    pub(crate) fn reclaim(&self) {
        let tables = self.graveyard.lock().take_idle_tables();
        drop(tables);
        // One at a time: a handler's drop may wait until another one is gone.
        let mut panic = None;
        while let Some(route) = self.take_idle_route() {
            if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(route))) {
                let more = panic.replace(payload);
                drop_caught(|| drop(more));
            }
        }
        if let Some(payload) = panic {
            resume_unwind(payload);
        }
    }

    fn take_idle_route(&self) -> Option<Buried> {
        self.graveyard.lock().take_idle_route()
    }
}

impl Graveyard {
    fn bury(&mut self, table: Arc<Table>, removed: &mut Vec<Entry>) -> Arc<Tomb> {
        let tomb = Arc::new(Tomb::default());
        self.tables.push(table);
        self.routes.extend(removed.drain(..).map(|entry| Buried {
            entry,
            _ticket: Ticket::new(&tomb),
        }));
        tomb
    }

    fn take_idle_tables(&mut self) -> Vec<Arc<Table>> {
        self.tables
            .extract_if(.., |table| Arc::get_mut(table).is_some())
            .collect()
    }

    fn take_idle_route(&mut self) -> Option<Buried> {
        let idle = self
            .routes
            .iter_mut()
            .position(|buried| buried.entry.is_unique())?;
        Some(self.routes.swap_remove(idle))
    }
}

impl Publishes<Table> for Store {
    #[inline(always)]
    fn snapshot(&self) -> &Snapshot<Table> {
        &self.table
    }
}
