//! [`Fallback`]: the settings of the layer that replaces errors with a reply.

use std::fmt;

use super::choice::Unavailable;
use super::middleware::FallbackRecovery;
use super::substitute::{Substitute, Value, With};
use crate::handler::Handler;
use crate::message::Message;
use crate::middleware::ErrorPredicate;
use crate::outcome::{Error, ErrorKind};
use crate::pipeline::{Facts, Layer, Leaf, Recovered, Role, RouteInfo, short_type_name};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

/// Replaces errors with a reply. See [the module](super) for the errors that are replaced, and for the effect
/// on commands.
pub struct Fallback<S, P = Unavailable> {
    substitute: PlainArc<S>,
    when: PlainArc<P>,
}

impl<R> Fallback<Value<R>> {
    /// Replies with a copy of `reply`, for every message with this type of reply.
    ///
    /// A panic while copying the reply is caught and ends the dispatch in [`Panicked`](Error::Panicked).
    #[must_use]
    pub fn value(reply: R) -> Self
    where
        R: Clone + Send + Sync + 'static,
    {
        Self::new(Value(reply), false)
    }
}

impl<F> Fallback<With<F>> {
    /// Replies with the value that `substitute` computes from the error and a copy of the message. If
    /// `substitute` returns `None`, the error stays the outcome. A panic of the closure is caught and ends in
    /// [`Panicked`](Error::Panicked).
    ///
    /// The closure names its message type, so the layer belongs in a scope of that message.
    ///
    /// ```
    /// use std::io;
    /// use arcbus::middleware::Fallback;
    /// use arcbus::{Context, Error, Message, Query, QueryBus, from_fn};
    ///
    /// #[derive(Clone)]
    /// struct Price { article: u64 }
    /// impl Message for Price {
    ///     const NAME: &'static str = "price";
    ///     type Kind = Query;
    ///     type Reply = u64;
    ///     type Error = io::Error;
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let list_price = |_: &Error<io::Error>, msg: &Price| (msg.article == 1).then_some(990);
    /// let bus = QueryBus::builder()
    ///     .scope(|s| {
    ///         s.layer(Fallback::with(list_price)).register(from_fn(
    ///             |_: Price, _: &Context<'_>| Err(io::ErrorKind::NotConnected.into()),
    ///         ))
    ///     })
    ///     .build()?;
    /// assert_eq!(bus.execute_blocking(Price { article: 1 })?, 990);
    /// assert!(bus.execute_blocking(Price { article: 2 }).unwrap_err().is_handler());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn with<M>(substitute: F) -> Self
    where
        M: Message,
        F: Fn(&Error<M::Error>, &M) -> Option<M::Reply> + Send + Sync + 'static,
    {
        Self::new(With(substitute), false)
    }
}

impl<H> Fallback<Leaf<H>> {
    /// Gives a copy of the message to another handler, such as one of an older replica. That handler runs
    /// like the handler of a route, with the context and the deadline of the dispatch. Its panic is caught,
    /// and its own error is the outcome of the dispatch.
    ///
    /// The handler is not started when the caller has cancelled or has no time left, and then the error
    /// stays.
    ///
    /// ```
    /// use std::io;
    /// use arcbus::middleware::Fallback;
    /// use arcbus::{Context, Message, Query, QueryBus, from_fn};
    ///
    /// #[derive(Clone)]
    /// struct Balance { account: u64 }
    /// impl Message for Balance {
    ///     const NAME: &'static str = "balance";
    ///     type Kind = Query;
    ///     type Reply = i64;
    ///     type Error = io::Error;
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let replica = from_fn(|_: Balance, _: &Context<'_>| Ok(42));
    /// let bus = QueryBus::builder()
    ///     .scope(|s| {
    ///         s.layer(Fallback::handler(replica)).register(from_fn(
    ///             |_: Balance, _: &Context<'_>| Err(io::ErrorKind::ConnectionRefused.into()),
    ///         ))
    ///     })
    ///     .build()?;
    /// assert_eq!(bus.execute_blocking(Balance { account: 1 })?, 42);
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn handler<M>(handler: H) -> Self
    where
        M: Message,
        H: Handler<M>, // of several messages? `handler::<TheMessage>(handler)`
    {
        Self::new(Leaf::new(handler), true)
    }
}

impl<S> Fallback<S> {
    /// Creates the layer. `runs_again` is set if the substitute runs the message another time.
    fn new(substitute: S, runs_again: bool) -> Self {
        Self {
            substitute: PlainArc::new(substitute),
            when: PlainArc::new(Unavailable { runs_again }),
        }
    }
}

impl<S, P> Fallback<S, P> {
    /// Replaces the errors that `when` chooses, and no others. Default: the errors that the table of [the
    /// module](super) lists as replaced. A panic of the closure is caught and ends in
    /// [`Panicked`](Error::Panicked).
    ///
    /// ```
    /// use arcbus::Error;
    /// use arcbus::middleware::Fallback;
    ///
    /// let layer = Fallback::value(0_u32).when(|error: &Error<String>| error.is_circuit_open());
    /// # let _ = layer;
    /// ```
    #[must_use]
    pub fn when<E, F>(self, when: F) -> Fallback<S, F>
    where
        F: Fn(&Error<E>) -> bool + Send + Sync + 'static,
    {
        Fallback {
            substitute: self.substitute,
            when: PlainArc::new(when),
        }
    }
}

impl<M, S, P> Layer<M> for Fallback<S, P>
where
    M: Message,
    S: Substitute<M>,
    P: ErrorPredicate<M>,
{
    type Middleware = Recovered<FallbackRecovery<S, P>>;

    const ROLE: Role = Role::Fallback;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Recovered::new(FallbackRecovery {
            substitute: PlainArc::clone(&self.substitute),
            when: PlainArc::clone(&self.when),
        }))
    }

    fn facts(&self) -> Facts {
        // User code that panics adds this kind of error, in the place of the error that the reply replaces.
        let facts = Facts::new()
            .waits(S::WAITS)
            .note(S::NOTE)
            .fails_with(ErrorKind::Panicked);
        P::always()
            .filter(|_| S::ALWAYS)
            .fold(facts, Facts::replaces)
    }
}

impl<S, P> Clone for Fallback<S, P> {
    fn clone(&self) -> Self {
        Self {
            substitute: PlainArc::clone(&self.substitute),
            when: PlainArc::clone(&self.when),
        }
    }
}

impl<S, P> fmt::Debug for Fallback<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (substitute, when) = (short_type_name::<S>(), short_type_name::<P>());
        f.debug_struct("Fallback")
            .field("substitute", &format_args!("{substitute}"))
            .field("when", &format_args!("{when}"))
            .finish()
    }
}
