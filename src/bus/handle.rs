//! [`Bus`]: the handle that everybody shares.

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

/// The bus for commands: messages that change something.
pub type CommandBus = Bus<Command>;

/// The bus for queries: messages that only ask.
pub type QueryBus = Bus<Query>;

/// Dispatches messages to their handlers. Cheap to clone, and shared by reference or clone between
/// threads.
///
/// A dispatch loads the current table without waiting, finds the handler and makes one virtual call.
/// It allocates nothing once a thread has dispatched before; the first dispatch of a thread makes
/// that thread's slots.
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
/// The type of a bus names a kind, not layers or handlers: a struct or a function takes a `QueryBus` or a
/// `CommandBus`. Code that shall work with other handles as well, or with a stand-in in tests, is generic over
/// [`Dispatch`](crate::Dispatch).
// The compiler suggests the parameter's name to a `bus: Bus` without one: so it says what goes there.
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

    /// Begins a bus without layers.
    pub fn builder() -> BusBuilder<K> {
        BusBuilder::new()
    }

    /// Dispatches `msg`; awaits the reply. Works on any runtime, or none. Nothing runs before the
    /// first poll; dropping the future drops the handler's.
    ///
    /// # Errors
    ///
    /// Resolves to [`HandlerNotFound`](crate::Error::HandlerNotFound),
    /// [`Invalid`](crate::Error::Invalid), [`Panicked`](crate::Error::Panicked),
    /// [`Handler`](crate::Error::Handler), or what a layer refuses with.
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub fn execute<M>(&self, msg: M) -> impl Future<Output = Outcome<M>> + Send + Unpin
    where
        M: Message<Kind: Same<K>>,
    {
        Execute::new(&*self.store, msg, Root)
    }

    /// Dispatches `msg` in `cx`.
    ///
    /// # Errors
    ///
    /// As [`execute`](Bus::execute); and [`Timeout`](crate::Error::Timeout) or
    /// [`Cancelled`](crate::Error::Cancelled), before the handler ran or while it waited.
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

    /// Dispatches `msg` from within a handler or a middleware whose context is `cx`: same deadline,
    /// cancellation, trace and values.
    ///
    /// # Errors
    ///
    /// As [`execute_with`](Bus::execute_with).
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
    /// costs what a function costs; for one that waits the thread is parked.
    ///
    /// # Errors
    ///
    /// As [`execute`](Bus::execute); and [`WouldDeadlock`](crate::Error::WouldDeadlock) where the
    /// handler waits on a thread that must not (feature `tokio`).
    #[inline]
    pub fn execute_blocking<M>(&self, msg: M) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        block(&*self.store, msg, Root)
    }

    /// [`execute_blocking`](Bus::execute_blocking) in `cx`.
    ///
    /// # Errors
    ///
    /// As [`execute_blocking`](Bus::execute_blocking) and [`execute_with`](Bus::execute_with).
    #[inline]
    pub fn execute_blocking_with<M>(&self, msg: M, cx: Context<'_>) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        block(&*self.store, msg, cx)
    }

    /// [`execute_blocking`](Bus::execute_blocking) from within a handler or a middleware whose
    /// context is `cx`.
    ///
    /// # Errors
    ///
    /// As [`execute_blocking_with`](Bus::execute_blocking_with).
    #[inline]
    pub fn execute_blocking_in<M>(&self, cx: &Context<'_>, msg: M) -> Outcome<M>
    where
        M: Message<Kind: Same<K>>,
    {
        self.execute_blocking_with(msg, cx.nested())
    }

    /// A handle for one thread, which keeps the table it used last and only checks that it is still
    /// the current one.
    #[must_use]
    pub fn local(&self) -> LocalBus<K> {
        LocalBus::new(Arc::clone(&self.store))
    }

    /// A handle for one message: finds the route now instead of at each dispatch, and follows a
    /// replace.
    ///
    /// # Errors
    ///
    /// [`NotRegistered`](RegistrationError::NotRegistered) if the message has no handler.
    pub fn route<M>(&self) -> Result<Route<M>, RegistrationError>
    where
        M: Message<Kind: Same<K>>,
    {
        Route::new(Arc::clone(&self.store))
    }

    /// What the message's route may do at worst: how often its handler is run, how long it takes, what
    /// is kept, which errors there may be; and which layers stand in a dangerous order. See
    /// [`Explanation`] for an example.
    ///
    /// # Errors
    ///
    /// [`NotRegistered`](RegistrationError::NotRegistered) if the message has no handler.
    pub fn explain<M>(&self) -> Result<Explanation, RegistrationError>
    where
        M: Message<Kind: Same<K>>,
    {
        self.store.explain::<M>()
    }

    /// What is registered now, by name.
    #[must_use]
    pub fn routes(&self) -> Vec<RouteInfo> {
        let table = self.store.table().load();
        let mut routes: Vec<_> = table.iter().map(|entry| entry.info().clone()).collect();
        routes.sort_by_key(RouteInfo::name);
        routes
    }

    /// The messages that were dispatched here and found no handler, and how often each did; sorted by
    /// name. Counted since the bus was built, by every handle of it; a message that gets its handler
    /// later stays in the list.
    ///
    /// No layer sees such a dispatch, for layers stand around handlers. A snapshot of
    /// [`Metrics`](crate::metrics::Metrics) whose layer stands on this bus has these counts, too.
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

/// The shared handle: loads the table anew for each dispatch.
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
