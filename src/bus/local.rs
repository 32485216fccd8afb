//! [`LocalBus`]: the bus handle of a single thread.

use std::fmt;
use std::marker::PhantomData;

use super::execute::{Execute, Root, Target, block};
use crate::context::Context;
use crate::message::{Kind, Message, Same};
use crate::outcome::Outcome;
use crate::registry::{Store, Table};
use crate::sync::{Arc, Cached};

/// A bus handle for one thread, returned by [`Bus::local`](crate::Bus::local). A local bus caches the
/// last table, and each dispatch only compares a pointer to see that this table is still current.
///
/// A local bus sees every change that happened before the dispatch, as [`Bus`](crate::Bus) does.
/// Between dispatches it keeps its table alive, and with the table every handler. Call
/// [`refresh`](LocalBus::refresh) before a long pause.
///
/// Dispatching takes `&mut self`, so a handler cannot dispatch through the handle under which it
/// runs. Give handlers a [`Bus`](crate::Bus) instead.
pub struct LocalBus<CommandOrQuery> {
    table: Cached<Store, Table>,
    store: Arc<Store>,
    _kind: PhantomData<fn() -> CommandOrQuery>,
}

impl<K: Kind> LocalBus<K> {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            table: Cached::new(Arc::clone(&store)),
            store,
            _kind: PhantomData,
        }
    }

    /// Releases the cached table if that table is no longer current.
    pub fn refresh(&mut self) {
        self.table.load();
    }

    /// Dispatches `msg` through the cached table and waits for the reply, like
    /// [`Bus::execute`](crate::Bus::execute).
    ///
    /// # Errors
    ///
    /// Resolves to an error in the cases listed at [`Bus::execute`](crate::Bus::execute).
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn execute<M>(&mut self, msg: M) -> impl Future<Output = Outcome<M>> + Send + Unpin
    where
        M: Message<Kind: Same<K>>,
    {
        Execute::new(self.target(), msg, Root)
    }

    /// Dispatches `msg` with the context `cx` through the cached table and waits for the reply, like
    /// [`Bus::execute_with`](crate::Bus::execute_with).
    ///
    /// # Errors
    ///
    /// Resolves to an error in the cases listed at
    /// [`Bus::execute_with`](crate::Bus::execute_with).
    #[inline]
    pub fn execute_with<'a, M>(
        &'a mut self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send + Unpin
    where
        M: Message<Kind: Same<K>>,
    {
        Execute::new(self.target(), msg, cx)
    }

    /// Dispatches `msg` through the cached table and runs its handler on this thread, like
    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at
    /// [`Bus::execute_blocking`](crate::Bus::execute_blocking).
    #[inline]
    pub fn execute_blocking<M>(&mut self, msg: M) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        block(self.target(), msg, Root)
    }

    /// Dispatches `msg` with the context `cx` through the cached table and runs its handler on this thread,
    /// like
    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at
    /// [`Bus::execute_blocking_with`](crate::Bus::execute_blocking_with).
    #[inline]
    pub fn execute_blocking_with<M>(&mut self, msg: M, cx: Context<'_>) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        block(self.target(), msg, cx)
    }

    #[inline(always)]
    fn target(&mut self) -> LocalTarget<'_> {
        LocalTarget {
            table: &mut self.table,
            store: &self.store,
        }
    }
}

impl<K> Clone for LocalBus<K> {
    fn clone(&self) -> Self {
        Self {
            table: self.table.clone(),
            store: Arc::clone(&self.store),
            _kind: PhantomData,
        }
    }
}

impl<K: Kind> fmt::Debug for LocalBus<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "LocalBus({})", K::NAME)
    }
}

/// The borrow of a local bus during a single dispatch.
struct LocalTarget<'a> {
    table: &'a mut Cached<Store, Table>,
    store: &'a Store,
}

impl<'a, M: Message> Target<'a, M> for LocalTarget<'a> {
    type Held<'h>
        = &'h Table
    where
        Self: 'h;

    #[inline(always)]
    fn store(&self) -> &'a Store {
        self.store
    }

    #[inline(always)]
    fn hold(&mut self) -> Self::Held<'_> {
        self.table.load()
    }
}
