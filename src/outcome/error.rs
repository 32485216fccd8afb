//! [`Error`]: every way in which a dispatch can fail, as a value.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use super::class::Class;
use super::kind::ErrorKind;
use super::phase::Phase;
use crate::bounds::HandlerError;
use crate::message::{Message, MessageType, is_command};
use crate::{Rejection, RejectionKind, Violations};

/// The result of a dispatch: the handler's reply, or an [`Error`] around the handler's own error
/// type.
pub type Outcome<M> = Result<<M as Message>::Reply, Error<<M as Message>::Error>>;

/// Names the owner of the time limit that ended a dispatch.
///
/// The earliest of several limits counts. Where the caller's and a layer's limit fall on one
/// moment, the caller's limit counts.
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
    /// The limit of the caller: a [`timeout`](crate::Context::timeout) or a
    /// [`deadline`](crate::Context::deadline) of its context, or the limit of the enclosing
    /// dispatch. Passing this limit says nothing about the backend, because another caller may have
    /// had the patience.
    Caller,
    /// The limit of a layer of this route: a [`Timeout`](crate::middleware::Timeout), or another
    /// layer that limits the time of its inner service.
    Layer,
}

/// The reason why a dispatch gave no reply. `E` is the handler's own error type, which is kept as a
/// value.
///
/// Where `E` is a [`std::error::Error`], so is this type, and `?` converts to a
/// `Box<dyn std::error::Error>` or an `anyhow::Error`. For other types, such as a `String`, call
/// [`into_boxed`](Error::into_boxed) first to get a standard error.
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
// A whole word for the tag. With a byte as the tag, a move of the error copies the seven bytes
// beside it by two overlapping words, and the next reader waits for the store: 4 ns for each layer
// (2026-11).
#[repr(u64)]
pub enum Error<E> {
    /// No handler is registered for this message type on this bus.
    HandlerNotFound {
        /// The name and the type of the message.
        message: MessageType,
    },
    /// The message is invalid: `validate` found these violations, so the handler never ran.
    Invalid(Violations),
    /// The time limit of the dispatch passed, before or while the handler ran.
    Timeout {
        /// The progress of the handler at the moment when the limit passed.
        phase: Phase,
        /// The owner of the limit that passed, which is the caller or a layer.
        limit: TimeLimit,
        /// Time from the start of the dispatch until its end. If the deadline had passed before the
        /// start, the time since the deadline.
        elapsed: Duration,
    },
    /// The caller cancelled the dispatch, before or while the handler ran.
    Cancelled {
        /// The progress of the handler at the moment of the cancellation.
        phase: Phase,
    },
    /// A circuit breaker rejects calls for the time being, so the handler did not run.
    CircuitOpen {
        /// Time from now until a call may be let through again.
        retry_after: Duration,
    },
    /// A rate limit is exhausted, so the handler did not run.
    RateLimited {
        /// Time from now until a call may pass again.
        retry_after: Duration,
    },
    /// A concurrency limit or a queue is full, so the handler did not run.
    Overloaded {
        /// The limit that was reached, as a number of dispatches.
        limit: usize,
    },
    /// A guard rejected the message, for instance an authorization, so the handler did not run.
    Rejected(Rejection),
    /// The handler panicked, or the message's own `validate`, while the route, the thread and all
    /// other messages go on.
    Panicked {
        /// The text of the panic, or "no message" if its payload was not a string.
        message: Box<str>,
    },
    /// Waiting here would never end, and the handler may have begun. The text says how to avoid the
    /// wait.
    WouldDeadlock {
        /// Advice on how to avoid the wait, in words.
        advice: &'static str,
    },
    /// An earlier run of this command ended without a known outcome and may have acted, so the
    /// command is not run again. See [`Idempotency`](crate::middleware::Idempotency).
    InDoubt,
    /// The handler ran to its end and returned its own error.
    Handler(E),
}

impl<E> Error<E> {
    /// Converts the handler's own error by `map`, and keeps every other error.
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

    /// Returns the handler's own error by reference, or `None` for every other error.
    pub fn as_handler(&self) -> Option<&E> {
        match self {
            Self::Handler(error) => Some(error),
            _ => None,
        }
    }

    /// Returns the handler's own error by value, without the wrapping [`Error`].
    ///
    /// # Errors
    ///
    /// Returns this error unchanged if it is not the handler's own.
    pub fn into_handler(self) -> Result<E, Self> {
        match self {
            Self::Handler(error) => Ok(error),
            other => Err(other),
        }
    }

    /// Returns the kind of this error, on which every policy bases its decision.
    ///
    /// The handler's own error is always [`Unclassified`](ErrorKind::Unclassified) here, because
    /// this function does not know the message. Policies call [`ErrorKind::of`], which asks the
    /// message's [`classify`](Message::classify).
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

    /// Returns the HTTP status that tells a client of this error, by its [`kind`](Self::kind).
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

    /// Returns whether the handler may have acted although no reply came: see
    /// [`Phase::Indeterminate`]. Also true for a panic, for [`WouldDeadlock`](Error::WouldDeadlock)
    /// and for [`InDoubt`](Error::InDoubt).
    ///
    /// Returns false for every error of the handler's own, because this function does not know the
    /// message. [`may_have_acted`](Self::may_have_acted) also sees the error of a nested dispatch
    /// inside such an error.
    #[must_use]
    pub fn is_indeterminate(&self) -> bool {
        self.kind().is_indeterminate()
    }

    /// Returns whether the handler of the message `M`, or the handler of a nested command, may have
    /// acted although nobody knows. Sending the message again is then unsafe.
    ///
    /// Covers the cases of [`is_indeterminate`](Self::is_indeterminate). Also true for a handler's
    /// error that carries such an error of a nested command, according to its
    /// [`classify`](Message::classify).
    #[must_use]
    pub fn may_have_acted<M: Message<Error = E>>(&self) -> bool {
        self.judge(M::classify).1
    }

    /// Returns the kind, and whether the handler may have acted. Calls `classify` for the class of
    /// the handler's own error.
    pub(super) fn judge(&self, classify: impl FnOnce(&E) -> Class) -> (ErrorKind, bool) {
        match self {
            Self::Handler(error) => {
                let class = classify(error);
                (class.kind(), class.may_have_acted())
            }
            error => (error.kind(), error.is_indeterminate()),
        }
    }

    /// Returns the time after which another attempt is useful, if the error knows.
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
    /// Returns the kind of an error of the message `M`. Asks the message's
    /// [`classify`](Message::classify) about the handler's own error.
    ///
    /// An error that carries the error of a nested dispatch has the kind of the nested error. The
    /// exceptions are the deadlines of the nested caller, which are limits of the service:
    /// [`CallerTimeout`](Self::CallerTimeout) becomes [`Timeout`](Self::Timeout), and
    /// [`Late`](Self::Late) becomes [`QueueTimeout`](Self::QueueTimeout).
    #[cold]
    #[must_use]
    pub fn of<M: Message>(error: &Error<M::Error>) -> Self {
        error.judge(M::classify).0
    }
}

impl Class {
    /// Returns the class of a handler's error that carries `error`, the result of a nested dispatch
    /// of `M`.
    ///
    /// A query changes nothing, so a failed nested query leaves nothing in doubt.
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
        /// Predicates that tell the variants apart without a pattern.
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
    /// Boxes this error as a standard error, for a handler error that is not one itself, such as a
    /// `String` or an `anyhow::Error`. `?` converts the box to a `Box<dyn std::error::Error>` or an
    /// `anyhow::Error`.
    ///
    /// The box has the text of the error but no source, so the causes of an `anyhow::Error` end
    /// there.
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
            // Displayed as the handler's error itself, so the chain goes on with its source.
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

/// Makes an [`Error`] a standard error, even if its handler error is none.
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
