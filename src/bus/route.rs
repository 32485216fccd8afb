//! [`Route`]: the bus handle of a single message.

use std::fmt;

use super::execute::{Execute, Root, Target, block};
use crate::context::Context;
use crate::message::{Message, MessageType};
use crate::outcome::Outcome;
use crate::registry::{Pinned, RegistrationError, Store, Table, Typed};
use crate::sync::{Arc, Cached};

/// A bus handle for one message, returned by [`Bus::route`](crate::Bus::route). A route caches its
/// handler, and each dispatch only compares a pointer to see that the table is still current.
///
/// A route follows a replaced handler, and after a deregistration reports
/// [`HandlerNotFound`](crate::Error::HandlerNotFound) until the message is registered again. Like a
/// [`LocalBus`](crate::LocalBus), a route keeps its table alive between dispatches. Call
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

    /// Releases the cached table if it is no longer current, and the route if it is no longer
    /// registered.
    pub fn refresh(&mut self) {
        self.target().current();
    }

    /// Dispatches `msg` through the cached route and waits for the reply, like
    /// [`Bus::execute`](crate::Bus::execute).
    ///
    /// # Errors
    ///
    /// Resolves to an error in the cases listed at [`Bus::execute`](crate::Bus::execute).
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn execute(&mut self, msg: M) -> impl Future<Output = Outcome<M>> + Send + Unpin {
        Execute::new(self.target(), msg, Root)
    }

    /// Dispatches `msg` with the context `cx` through the cached route and waits for the reply, like
    /// [`Bus::execute_with`](crate::Bus::execute_with).
    ///
    /// # Errors
    ///
    /// Resolves to an error in the cases listed at
    /// [`Bus::execute_with`](crate::Bus::execute_with).
    #[inline]
    pub fn execute_with<'a>(
        &'a mut self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send + Unpin {
        Execute::new(self.target(), msg, cx)
    }

    /// Dispatches `msg` through the cached route and runs its handler on this thread, like
    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at
    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    #[inline]
    pub fn execute_blocking(&mut self, msg: M) -> Outcome<M> {
        block(self.target(), msg, Root)
    }

    /// Dispatches `msg` with the context `cx` through the cached route and runs its handler on this thread,
    /// like
    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at
    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
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

/// The borrow of a route during a single dispatch.
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
