//! [`Bus`]: the handle that threads share.

use std::fmt;
use std::marker::PhantomData;

use super::execute::{Execute, Root, Target, block};
use super::{BusBuilder, LocalBus, Route};
use crate::context::Context;
use crate::explain::Explanation;
use crate::message::{Command, Kind, Message, MessageType, Query, Same};
use crate::outcome::Outcome;
use crate::pipeline::RouteInfo;
use crate::registry::{RegistrationError, Store, Table};
use crate::sync::{Arc, Guard};

/// The bus for commands, which are messages that change something.
pub type CommandBus = Bus<Command>;

/// The bus for queries, which are messages that only read.
pub type QueryBus = Bus<Query>;

/// Dispatches messages to their handlers. Cheap to clone, and shared between threads by reference
/// or by clone.
///
/// A dispatch loads the current table without waiting, finds the handler and makes one virtual
/// call. A dispatch allocates nothing, apart from the first one of a thread, which creates the
/// thread's slots.
///
/// ```
/// use std::fmt;
/// use std::time::Duration;
/// use arcbus::{Context, Handler, Message, Query, QueryBus};
///
/// struct GetUser { id: u64 }
/// impl Message for GetUser {
///     const NAME: &'static str = "user.get";
///     type Kind = Query;
///     type Reply = String;
///     type Error = GetUserError;
/// }
///
/// #[derive(Debug, PartialEq)]
/// enum GetUserError {
///     NotFound,
/// }
/// impl fmt::Display for GetUserError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("no such user")
///     }
/// }
/// impl std::error::Error for GetUserError {}
///
/// struct Users;
/// impl Handler<GetUser> for Users {
///     async fn handle(&self, msg: GetUser, _cx: &Context<'_>) -> Result<String, GetUserError> {
///         if msg.id == 7 { Ok("Ada".into()) } else { Err(GetUserError::NotFound) }
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn std::error::Error>> {
///     let bus = QueryBus::builder().register(Users).build()?;
///     let user = bus.execute_blocking(GetUser { id: 7 })?;
///     assert_eq!(user, "Ada");
///
///     let cx = Context::new().timeout(Duration::from_millis(20));
///     let error = bus.execute_blocking_with(GetUser { id: 8 }, cx).unwrap_err();
///     assert_eq!(error.as_handler(), Some(&GetUserError::NotFound));
///     Ok(())
/// }
/// ```
///
/// The type of a bus names a kind, not layers or handlers, so a struct or a function takes a
/// `QueryBus` or a `CommandBus`. Code that must also work with other handles, or with a stand-in in
/// tests, is generic over [`Dispatch`](crate::Dispatch).
// The compiler suggests the name of this parameter for a `bus: Bus` without one, so it names the
// choice.
pub struct Bus<CommandOrQuery> {
    store: Arc<Store>,
    _kind: PhantomData<fn() -> CommandOrQuery>,
}

impl<K: Kind> Bus<K> {
    pub(super) fn new(store: Arc<Store>) -> Self {
        Self {
            store,
            _kind: PhantomData,
        }
    }

    /// Returns a builder for a bus, at first without layers.
    pub fn builder() -> BusBuilder<K> {
        BusBuilder::new()
    }

    /// Dispatches `msg` and waits for the reply, on any runtime or none. Nothing runs before the
    /// first poll, and dropping the future drops the handler's future.
    ///
    /// # Errors
    ///
    /// Resolves to [`HandlerNotFound`](crate::Error::HandlerNotFound),
    /// [`Invalid`](crate::Error::Invalid), [`Panicked`](crate::Error::Panicked),
    /// [`Handler`](crate::Error::Handler), or the rejection of a layer.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn execute<M>(&self, msg: M) -> impl Future<Output = Outcome<M>> + Send + Unpin
    where
        M: Message<Kind: Same<K>>,
    {
        Execute::new(&*self.store, msg, Root)
    }

    /// Dispatches `msg` with the context `cx`, and waits for the reply.
    ///
    /// # Errors
    ///
    /// Resolves to the errors of [`execute`](Bus::execute). Also to
    /// [`Timeout`](crate::Error::Timeout) or [`Cancelled`](crate::Error::Cancelled), before the
    /// handler ran or while it waited.
    #[inline]
    pub fn execute_with<'a, M>(
        &'a self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send + Unpin
    where
        M: Message<Kind: Same<K>>,
    {
        Execute::new(&*self.store, msg, cx)
    }

    /// Dispatches `msg` from within a handler or a middleware whose context is `cx`. The dispatch
    /// inherits deadline, cancellation, trace and values.
    ///
    /// # Errors
    ///
    /// Resolves to the errors of [`execute_with`](Bus::execute_with).
    #[inline]
    pub fn execute_in<'a, M>(
        &'a self,
        cx: &'a Context<'_>,
        msg: M,
    ) -> impl Future<Output = Outcome<M>> + Send + Unpin
    where
        M: Message<Kind: Same<K>>,
    {
        self.execute_with(msg, cx.nested())
    }

    /// Dispatches `msg` and runs its handler to the end on this thread. A handler that never waits
    /// costs no more than a function call. If the handler waits, the thread is parked.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`execute`](Bus::execute). Also
    /// [`WouldDeadlock`](crate::Error::WouldDeadlock), if the handler waits on a thread that must
    /// not be parked (feature `tokio`).
    #[inline]
    pub fn execute_blocking<M>(&self, msg: M) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        block(&*self.store, msg, Root)
    }

    /// Dispatches `msg` with the context `cx`, and runs its handler to the end on this thread.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`execute_blocking`](Bus::execute_blocking) and
    /// [`execute_with`](Bus::execute_with).
    #[inline]
    pub fn execute_blocking_with<M>(&self, msg: M, cx: Context<'_>) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        block(&*self.store, msg, cx)
    }

    /// Dispatches `msg` on this thread, from within a handler or a middleware whose context is
    /// `cx`.
    ///
    /// # Errors
    ///
    /// Returns the errors of [`execute_blocking_with`](Bus::execute_blocking_with).
    #[inline]
    pub fn execute_blocking_in<M>(&self, cx: &Context<'_>, msg: M) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        self.execute_blocking_with(msg, cx.nested())
    }

    /// Returns a handle for one thread, which caches the last table and only checks that this table
    /// is still current.
    #[must_use]
    pub fn local(&self) -> LocalBus<K> {
        LocalBus::new(Arc::clone(&self.store))
    }

    /// Returns a handle for one message, which finds the route now instead of at each dispatch. The
    /// handle follows a replaced handler.
    ///
    /// # Errors
    ///
    /// Returns [`NotRegistered`](RegistrationError::NotRegistered) if the message has no handler.
    pub fn route<M>(&self) -> Result<Route<M>, RegistrationError>
    where
        M: Message<Kind: Same<K>>,
    {
        Route::new(Arc::clone(&self.store))
    }

    /// Returns the worst case of the message's route: the number of handler runs, the longest time,
    /// the age of replies, the possible errors, and warnings about dangerous orders of layers. See
    /// [`Explanation`] for an example.
    ///
    /// # Errors
    ///
    /// Returns [`NotRegistered`](RegistrationError::NotRegistered) if the message has no handler.
    pub fn explain<M>(&self) -> Result<Explanation, RegistrationError>
    where
        M: Message<Kind: Same<K>>,
    {
        self.store.explain::<M>()
    }

    /// Returns the routes that are registered now, sorted by name.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteInfo> {
        let table = self.store.table().load();
        let mut routes: Vec<_> = table.iter().map(|entry| entry.info().clone()).collect();
        routes.sort_by_key(RouteInfo::name);
        routes
    }

    /// Returns the messages that were dispatched here without a handler, with the number of such
    /// dispatches, sorted by name. All handles of the bus count, since the bus was built. A message
    /// that gets its handler later stays in the list.
    ///
    /// No layer sees such a dispatch, because layers wrap handlers. A snapshot of
    /// [`Metrics`](crate::metrics::Metrics) contains these counts, too, if its layer is used on
    /// this bus.
    ///
    /// ```
    /// # use arcbus::{Message, Query, QueryBus};
    /// # struct Ping;
    /// # impl Message for Ping {
    /// #     const NAME: &'static str = "ping";
    /// #     type Kind = Query;
    /// #     type Reply = ();
    /// #     type Error = std::convert::Infallible;
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = QueryBus::builder().build()?;
    /// assert!(bus.execute_blocking(Ping).unwrap_err().is_handler_not_found());
    /// let (message, count) = bus.unhandled()[0];
    /// assert_eq!((message.name(), count), ("ping", 1));
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn unhandled(&self) -> Vec<(MessageType, u64)> {
        let counts = self.store.unhandled().counts().into_iter();
        let mut counts: Vec<_> = counts.map(|it| (it.message, it.count)).collect();
        counts.sort_by_key(|(message, _)| message.name());
        counts
    }

    pub(super) fn store(&self) -> &Store {
        &self.store
    }
}

impl<K> Clone for Bus<K> {
    fn clone(&self) -> Self {
        Self {
            store: Arc::clone(&self.store),
            _kind: PhantomData,
        }
    }
}

impl<K: Kind> fmt::Debug for Bus<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Bus({})", K::NAME)
    }
}

/// The shared handle, which loads the table anew for each dispatch.
impl<'a, M: Message> Target<'a, M> for &'a Store {
    type Held<'h>
        = Guard<Table>
    where
        Self: 'h;

    #[inline(always)]
    fn store(&self) -> &'a Store {
        self
    }

    #[inline(always)]
    fn hold(&mut self) -> Self::Held<'_> {
        self.table().load()
    }
}
