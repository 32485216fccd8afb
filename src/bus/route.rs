//! [`Route`]: the handle of one message.

use std::fmt;

use super::execute::{Execute, Root, Target, block};
use crate::context::Context;
use crate::message::{Message, MessageType};
use crate::outcome::Outcome;
use crate::registry::{Pinned, RegistrationError, Store, Table, Typed};
use crate::sync::{Arc, Cached};

/// A bus handle for one message: keeps the route it found, and at each dispatch only compares a
/// pointer to see that the table is still the current one. Got from
/// [`Bus::route`](crate::Bus::route).
///
/// It follows a replace, and reports a deregister as
/// [`HandlerNotFound`](crate::Error::HandlerNotFound) until the message is registered again. Like a
/// [`LocalBus`](crate::LocalBus) it keeps its table alive between dispatches: call
/// [`refresh`](Route::refresh) before a long pause.
pub struct Route<M: Message> {
    table: Cached<Store, Table>,
    /// Invariant: `route` is the route of `M` in this table.
    seen: Arc<Table>,
    route: Option<Pinned<M>>,
    store: Arc<Store>,
}

impl<M: Message> Route<M> {
    pub(super) fn new(store: Arc<Store>) -> Result<Self, RegistrationError> {
        let mut table = Cached::new(Arc::clone(&store));
        let seen = Arc::clone(table.load());
        let route = seen.get::<M>().map(Typed::pin);
        if route.is_none() {
            return Err(RegistrationError::NotRegistered {
                message: MessageType::of::<M>(),
            });
        }
        Ok(Self {
            table,
            seen,
            route,
            store,
        })
    }

    /// Lets go of a table that is no longer current, and of a route that is no longer registered.
    pub fn refresh(&mut self) {
        self.target().current();
    }

    /// [`Bus::execute`](crate::Bus::execute).
    ///
    /// # Errors
    ///
    /// As there.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn execute(&mut self, msg: M) -> impl Future<Output = Outcome<M>> + Send + Unpin {
        Execute::new(self.target(), msg, Root)
    }

    /// [`Bus::execute_with`](crate::Bus::execute_with).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn execute_with<'a>(
        &'a mut self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send + Unpin {
        Execute::new(self.target(), msg, cx)
    }

    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn execute_blocking(&mut self, msg: M) -> Outcome<M> {
        block(self.target(), msg, Root)
    }

    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
    ///
    /// # Errors
    ///
    /// As there.
    #[inline]
    pub fn execute_blocking_with(&mut self, msg: M, cx: Context<'_>) -> Outcome<M> {
        block(self.target(), msg, cx)
    }

    #[inline(always)]
    fn target(&mut self) -> RouteTarget<'_, M> {
        RouteTarget {
            table: &mut self.table,
            seen: &mut self.seen,
            route: &mut self.route,
            store: &self.store,
        }
    }
}

impl<M: Message> Clone for Route<M> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            seen: Arc::clone(&self.seen),
            route: self.route.as_ref().map(|route| route.get().pin()),
            store: Arc::clone(&self.store),
        }
    }
}

impl<M: Message> fmt::Debug for Route<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let info = self.route.as_ref().map(Pinned::info);
        f.debug_struct("Route")
            .field("route", &info)
            .finish_non_exhaustive()
    }
}

/// The borrow of a route for one dispatch.
struct RouteTarget<'a, M: Message> {
    table: &'a mut Cached<Store, Table>,
    seen: &'a mut Arc<Table>,
    route: &'a mut Option<Pinned<M>>,
    store: &'a Store,
}

impl<M: Message> RouteTarget<'_, M> {
    #[inline(always)]
    fn current(&mut self) -> Option<&Pinned<M>> {
        let table = self.table.load();
        if !Arc::ptr_eq(table, self.seen) {
            follow(table, self.seen, self.route);
        }
        self.route.as_ref()
    }
}

#[cold]
fn follow<M: Message>(table: &Arc<Table>, seen: &mut Arc<Table>, route: &mut Option<Pinned<M>>) {
    *seen = Arc::clone(table);
    *route = table.get::<M>().map(Typed::pin);
}

impl<'a, M: Message> Target<'a, M> for RouteTarget<'a, M> {
    type Held<'h>
        = Option<&'h Pinned<M>>
    where
        Self: 'h;

    #[inline(always)]
    fn store(&self) -> &'a Store {
        self.store
    }

    #[inline(always)]
    fn hold(&mut self) -> Self::Held<'_> {
        self.current()
    }
}
