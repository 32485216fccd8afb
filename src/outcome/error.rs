//! [`Error`]: every way a dispatch can fail, as a value.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::class::Class;
use super::kind::ErrorKind;
use super::phase::Phase;
use crate::bounds::HandlerError;
use crate::message::{Message, MessageType, is_command};
use crate::{Rejection, RejectionKind, Violations};

/// What a dispatch ends in: the handler's reply, or an [`Error`] around the handler's own error type.
pub type Outcome<M> = Result<<M as Message>::Reply, Error<<M as Message>::Error>>;

/// Names the owner of the time limit that ended a dispatch.
///
/// Of several limits the one that came first counts. Where the caller's and a layer's fall on one moment, it is
/// the caller's.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::Timeout;
/// use arcbus::{Context, Error, Message, Query, QueryBus, TimeLimit, from_async_fn};
///
/// struct Report;
/// impl Message for Report {
///     const NAME: &'static str = "report";
///     type Kind = Query;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder()
///     .layer(Timeout::new(Duration::from_millis(20)))
///     .register(from_async_fn(async |_: Report, _: &Context<'_>| {
///         std::future::pending::<Result<(), std::convert::Infallible>>().await
///     }))
///     .build()?;
/// let limit = |cx| match bus.execute_blocking_with(Report, cx) {
///     Err(Error::Timeout { limit, .. }) => Some(limit),
///     _ => None,
/// };
/// let hasty = Context::new().timeout(Duration::from_millis(2));
/// assert_eq!(limit(hasty), Some(TimeLimit::Caller));
/// assert_eq!(limit(Context::new()), Some(TimeLimit::Layer));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeLimit {
    /// The caller's: a [`timeout`](crate::Context::timeout) or a [`deadline`](crate::Context::deadline) of its
    /// context, or the limit of the dispatch in which it made this one. It says nothing about the backend:
    /// another caller may have had the patience.
    Caller,
    /// A layer's of this route: a [`Timeout`](crate::middleware::Timeout), or another layer with a limit to the
    /// time of what it runs.
    Layer,
}

/// Why a dispatch gave no reply. `E` is the handler's own error type and keeps it.
///
/// Where `E` is a [`std::error::Error`], so is this: `?` turns it into a `Box<dyn std::error::Error>` or an
/// `anyhow::Error`. Where it is not, as a `String`, [`into_boxed`](Error::into_boxed) makes a standard error
/// first.
///
/// ```
/// use std::fmt;
/// use arcbus::Error;
///
/// #[derive(Debug, PartialEq)]
/// enum OrderError {
///     OutOfStock,
/// }
///
/// impl fmt::Display for OrderError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("out of stock")
///     }
/// }
///
/// impl std::error::Error for OrderError {}
///
/// let error = Error::Handler(OrderError::OutOfStock);
/// assert_eq!(error.to_string(), "out of stock");
/// assert_eq!(error.as_handler(), Some(&OrderError::OutOfStock));
/// assert!(!error.is_timeout());
///
/// let boxed: Box<dyn std::error::Error> = error.into();
/// assert_eq!(boxed.to_string(), "out of stock");
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
// A whole word for the tag. Where it is a byte, a move of the error copies the seven bytes beside it by two
// words that overlap, and whoever reads them next waits for the store: 4 ns a layer (2026-11).
#[repr(u64)]
pub enum Error<E> {
    /// No handler is registered for this message type on this bus.
    HandlerNotFound {
        /// The message's name and type.
        message: MessageType,
    },
    /// The message is not valid; the handler never saw it.
    Invalid(Violations),
    /// Its time was over.
    Timeout {
        /// Whether the handler had begun.
        phase: Phase,
        /// The limit that passed: the caller's, or a layer's.
        limit: TimeLimit,
        /// Time from the start of the dispatch until it was given up; of one that was late before
        /// it began, by how much.
        elapsed: Duration,
    },
    /// Its caller cancelled it.
    Cancelled {
        /// Whether the handler had begun.
        phase: Phase,
    },
    /// A circuit breaker refuses calls for the time being.
    CircuitOpen {
        /// When a call may be let through again, from now.
        retry_after: Duration,
    },
    /// A rate limit is exhausted.
    RateLimited {
        /// When a call may pass again, from now.
        retry_after: Duration,
    },
    /// A concurrency limit or a queue is full.
    Overloaded {
        /// The limit that was reached.
        limit: usize,
    },
    /// A guard refused it, for instance an authorization.
    Rejected(Rejection),
    /// The handler panicked, or the message's own `validate`. The route, the thread and all other
    /// messages go on.
    Panicked {
        /// The panic's message, where it had one.
        message: Box<str>,
    },
    /// Waiting here would never end; the text says what to do instead. The handler may have begun.
    WouldDeadlock {
        /// What to do instead.
        advice: &'static str,
    },
    /// An earlier run of this command ended without a known outcome and may have acted: it is not run
    /// again. See [`Idempotency`](crate::middleware::Idempotency).
    InDoubt,
    /// The handler's own error.
    Handler(E),
}

impl<E> Error<E> {
    /// The same error around another handler error type.
    pub fn map_handler<F, T>(self, map: F) -> Error<T>
    where
        F: FnOnce(E) -> T,
    {
        match self {
            Self::HandlerNotFound { message } => Error::HandlerNotFound { message },
            Self::Invalid(violations) => Error::Invalid(violations),
            Self::Timeout {
                phase,
                elapsed,
                limit,
            } => Error::Timeout {
                phase,
                elapsed,
                limit,
            },
            Self::Cancelled { phase } => Error::Cancelled { phase },
            Self::CircuitOpen { retry_after } => Error::CircuitOpen { retry_after },
            Self::RateLimited { retry_after } => Error::RateLimited { retry_after },
            Self::Overloaded { limit } => Error::Overloaded { limit },
            Self::Rejected(rejection) => Error::Rejected(rejection),
            Self::Panicked { message } => Error::Panicked { message },
            Self::WouldDeadlock { advice } => Error::WouldDeadlock { advice },
            Self::InDoubt => Error::InDoubt,
            Self::Handler(error) => Error::Handler(map(error)),
        }
    }

    /// The handler's own error, if that is what it is.
    pub fn as_handler(&self) -> Option<&E> {
        match self {
            Self::Handler(error) => Some(error),
            _ => None,
        }
    }

    /// The handler's own error by value.
    ///
    /// # Errors
    ///
    /// The error unchanged, if the handler did not make it.
    pub fn into_handler(self) -> Result<E, Self> {
        match self {
            Self::Handler(error) => Ok(error),
            other => Err(other),
        }
    }

    /// Returns the kind of this error, which says what everything that decides on errors makes of it.
    ///
    /// The handler's own error is [`Unclassified`](ErrorKind::Unclassified) here: this function does not know the
    /// message. [`ErrorKind::of`] asks its [`classify`](Message::classify), as all policies do.
    #[must_use]
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::HandlerNotFound { .. } => ErrorKind::HandlerNotFound,
            Self::Invalid(_) => ErrorKind::Invalid,
            Self::Timeout { phase, limit, .. } => match (phase, limit) {
                (Phase::NotStarted, TimeLimit::Caller) => ErrorKind::Late,
                (Phase::NotStarted, TimeLimit::Layer) => ErrorKind::QueueTimeout,
                (Phase::Indeterminate, TimeLimit::Caller) => ErrorKind::CallerTimeout,
                (Phase::Indeterminate, TimeLimit::Layer) => ErrorKind::Timeout,
            },
            Self::Cancelled { phase } => match phase {
                Phase::NotStarted => ErrorKind::CancelledEarly,
                Phase::Indeterminate => ErrorKind::Cancelled,
            },
            Self::CircuitOpen { .. } => ErrorKind::CircuitOpen,
            Self::RateLimited { .. } => ErrorKind::RateLimited,
            Self::Overloaded { .. } => ErrorKind::Overloaded,
            Self::Rejected(rejection) => match rejection.kind() {
                RejectionKind::Unauthenticated => ErrorKind::Unauthenticated,
                RejectionKind::Forbidden => ErrorKind::Forbidden,
                RejectionKind::Conflict => ErrorKind::Conflict,
                RejectionKind::Other => ErrorKind::Rejected,
            },
            Self::Panicked { .. } => ErrorKind::Panicked,
            Self::WouldDeadlock { .. } => ErrorKind::WouldDeadlock,
            Self::InDoubt => ErrorKind::InDoubt,
            Self::Handler(_) => ErrorKind::Unclassified,
        }
    }

    /// Returns the HTTP status that tells a client of this error: that of its [`kind`](Self::kind).
    ///
    /// ```
    /// use arcbus::{Error, Rejection};
    ///
    /// let refused = Error::<String>::from(Rejection::forbidden("admins only"));
    /// assert_eq!(refused.http_status(), 403);
    /// ```
    #[must_use]
    pub fn http_status(&self) -> u16 {
        self.kind().http_status()
    }

    /// Returns whether the handler may have acted although no reply came: see [`Phase::Indeterminate`].
    /// True also of a panic, of [`WouldDeadlock`](Error::WouldDeadlock) and of [`InDoubt`](Error::InDoubt).
    ///
    /// False of each error of the handler's own, for this function does not know the message:
    /// [`may_have_acted`](Self::may_have_acted) sees where such an error carries one of a nested dispatch.
    #[must_use]
    pub fn is_indeterminate(&self) -> bool {
        self.kind().is_indeterminate()
    }

    /// Returns whether the handler of the message `M`, or one to which it has sent a command in turn, may have
    /// acted although nobody knows. Then it is not safe to send the message again.
    ///
    /// As [`is_indeterminate`](Self::is_indeterminate), and true of an error of the handler's own that carries such
    /// an error of a nested command, by its [`classify`](Message::classify).
    #[must_use]
    pub fn may_have_acted<M: Message<Error = E>>(&self) -> bool {
        self.judge(M::classify).1
    }

    /// Returns the kind, and whether the handler may have acted, where `classify` says the class of the
    /// handler's own error.
    pub(super) fn judge(&self, classify: impl FnOnce(&E) -> Class) -> (ErrorKind, bool) {
        match self {
            Self::Handler(error) => {
                let class = classify(error);
                (class.kind(), class.may_have_acted())
            }
            error => (error.kind(), error.is_indeterminate()),
        }
    }

    /// When it is worth trying again, where the error knows.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::CircuitOpen { retry_after } | Self::RateLimited { retry_after } => {
                Some(*retry_after)
            }
            _ => None,
        }
    }
}

impl ErrorKind {
    /// Returns the kind of an error of the message `M`, whose [`classify`](Message::classify) is asked about the
    /// handler's own.
    ///
    /// An error that carries one of a nested dispatch has the kind of that one, except that the nested caller's
    /// deadline is a limit of the service: [`CallerTimeout`](Self::CallerTimeout) becomes
    /// [`Timeout`](Self::Timeout), and [`Late`](Self::Late) becomes [`QueueTimeout`](Self::QueueTimeout).
    #[cold]
    #[must_use]
    pub fn of<M: Message>(error: &Error<M::Error>) -> Self {
        error.judge(M::classify).0
    }
}

impl Class {
    /// Returns the class of a handler's error that carries `error`, in which a nested dispatch of `M` ended.
    ///
    /// A query changes nothing: after a nested one, nothing is in doubt.
    ///
    /// ```
    /// use arcbus::{Class, Error, ErrorKind, Message, Query};
    ///
    /// struct GetUser;
    /// impl Message for GetUser {
    ///     const NAME: &'static str = "user.get";
    ///     type Kind = Query;
    ///     type Reply = String;
    ///     type Error = std::io::Error;
    /// }
    ///
    /// let error = Error::Overloaded { limit: 8 };
    /// let (kind, may_have_acted) = (ErrorKind::Overloaded, false);
    /// assert_eq!(Class::nested::<GetUser>(&error), Class::Nested { kind, may_have_acted });
    /// ```
    #[must_use]
    pub fn nested<M: Message>(error: &Error<M::Error>) -> Self {
        let (kind, may_have_acted) = error.judge(M::classify);
        Self::Nested {
            kind,
            may_have_acted: may_have_acted && is_command::<M>(),
        }
    }
}

macro_rules! predicates {
    ($($name:ident: $variant:ident),* $(,)?) => {
        /// Which of the variants it is.
        impl<E> Error<E> {
            $(
                #[doc = concat!("Whether it is [`", stringify!($variant), "`](Error::", stringify!($variant), ").")]
                pub fn $name(&self) -> bool {
                    matches!(self, Self::$variant { .. })
                }
            )*
        }
    };
}

predicates! {
    is_handler_not_found: HandlerNotFound,
    is_invalid: Invalid,
    is_timeout: Timeout,
    is_cancelled: Cancelled,
    is_circuit_open: CircuitOpen,
    is_rate_limited: RateLimited,
    is_overloaded: Overloaded,
    is_rejected: Rejected,
    is_panicked: Panicked,
    is_would_deadlock: WouldDeadlock,
    is_in_doubt: InDoubt,
    is_handler: Handler,
}

impl<E: fmt::Display + fmt::Debug + Send + Sync + 'static> Error<E> {
    /// Boxes this error as a standard error, for a handler error that is not one itself: a `String`, an
    /// `anyhow::Error`. `?` turns the box into a `Box<dyn std::error::Error>` or an `anyhow::Error`.
    ///
    /// It has the text of the error, and no source: the causes of an `anyhow::Error` end there.
    ///
    /// ```
    /// use arcbus::{Context, Message, Query, QueryBus, from_fn};
    ///
    /// struct GetUser {
    ///     id: u64,
    /// }
    ///
    /// impl Message for GetUser {
    ///     const NAME: &'static str = "user.get";
    ///     type Kind = Query;
    ///     type Reply = String;
    ///     type Error = String; // not a standard error
    /// }
    ///
    /// fn run() -> Result<(), Box<dyn std::error::Error>> {
    ///     let bus = QueryBus::builder()
    ///         .register(from_fn(|msg: GetUser, _: &Context<'_>| Err(format!("no user {}", msg.id))))
    ///         .build()?;
    ///     let user = bus.execute_blocking(GetUser { id: 8 }).map_err(arcbus::Error::into_boxed)?;
    ///     println!("{user}");
    ///     Ok(())
    /// }
    ///
    /// assert_eq!(run().unwrap_err().to_string(), "no user 8");
    /// ```
    #[doc(alias = "anyhow")]
    #[must_use]
    pub fn into_boxed(self) -> Box<impl StdError + Send + Sync + 'static> {
        Box::new(Opaque(self))
    }
}

impl<E: fmt::Display> fmt::Display for Error<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::HandlerNotFound { message } => {
                write!(f, "no handler is registered for {message}")
            }
            Self::Invalid(violations) => write!(f, "invalid message: {violations}"),
            Self::Timeout {
                phase,
                elapsed,
                limit,
            } => write!(f, "timed out after {elapsed:?} at {limit}: {phase}"),
            Self::Cancelled { phase } => write!(f, "cancelled by the caller: {phase}"),
            Self::CircuitOpen { retry_after } => {
                write!(f, "circuit breaker is open, retry after {retry_after:?}")
            }
            Self::RateLimited { retry_after } => {
                write!(f, "rate limit is exhausted, retry after {retry_after:?}")
            }
            Self::Overloaded { limit } => write!(f, "overloaded: the limit of {limit} is reached"),
            Self::Rejected(rejection) => write!(f, "rejected: {rejection}"),
            Self::Panicked { message } => write!(f, "handler panicked: {message}"),
            Self::WouldDeadlock { advice } => write!(f, "would deadlock: {advice}"),
            Self::InDoubt => f.write_str(
                "in doubt: an earlier run of this command has no known outcome and may have acted, so it \
                 is not run again: find out what it did, or send it with a new idempotency key",
            ),
            Self::Handler(error) => error.fmt(f),
        }
    }
}

impl fmt::Display for TimeLimit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Caller => "the caller's deadline",
            Self::Layer => "the limit of the Timeout layer",
        })
    }
}

impl<E: HandlerError> StdError for Error<E> {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        match self {
            Self::Invalid(violations) => Some(violations),
            Self::Rejected(rejection) => Some(rejection),
            // Displayed as the handler's error itself, so the chain goes on behind it.
            Self::Handler(error) => error.source(),
            _ => None,
        }
    }
}

impl<E> From<Violations> for Error<E> {
    fn from(violations: Violations) -> Self {
        Self::Invalid(violations)
    }
}

impl<E> From<Rejection> for Error<E> {
    fn from(rejection: Rejection) -> Self {
        Self::Rejected(rejection)
    }
}

/// Makes an [`Error`] a standard error whatever its handler error is.
#[derive(Debug)]
struct Opaque<E>(Error<E>);

impl<E: fmt::Display> fmt::Display for Opaque<E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<E: fmt::Display + fmt::Debug> StdError for Opaque<E> {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_error_with_a_small_handler_error_is_four_words() {
        assert_eq!(size_of::<Error<u64>>(), 32);
        assert_eq!(size_of::<Result<u64, Error<u64>>>(), 32);
        assert_eq!(size_of::<Error<String>>(), 32);
    }
}
