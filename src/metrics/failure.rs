//! [`FailureKind`]: how a dispatch failed, to count it.

use crate::error::{Error, Phase, TimeLimit};
use crate::message::{Class, Message};

macro_rules! kinds {
    ($($(#[$doc:meta])* $kind:ident $name:literal,)*) => {
        /// How a dispatch ended that gave no reply.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum FailureKind {
            $($(#[$doc])* $kind,)*
        }

        impl FailureKind {
            /// All kinds.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            /// Its name, as in a metric's label.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$kind => $name,)*
                }
            }
        }
    };
}

kinds! {
    /// No handler was found.
    HandlerNotFound "handler_not_found",
    /// The message was invalid.
    Invalid "invalid",
    /// It was late before its handler began.
    Late "late",
    /// The limit of a layer passed while the handler ran.
    Timeout "timeout",
    /// Its caller's deadline passed while the handler ran.
    CallerTimeout "caller_timeout",
    /// Its caller cancelled it.
    Cancelled "cancelled",
    /// A circuit breaker was open.
    CircuitOpen "circuit_open",
    /// A rate limit was exhausted.
    RateLimited "rate_limited",
    /// A concurrency limit or a queue was full.
    Overloaded "overloaded",
    /// A guard refused it.
    Rejected "rejected",
    /// The handler panicked.
    Panicked "panicked",
    /// Waiting would never have ended.
    WouldDeadlock "would_deadlock",
    /// An earlier run of the command has no known outcome.
    InDoubt "in_doubt",
    /// The handler's error, [`Class::Transient`].
    Transient "transient",
    /// The handler's error, [`Class::Permanent`].
    Permanent "permanent",
    /// The handler's error, [`Class::Unclassified`].
    Unclassified "unclassified",
    /// The dispatch was dropped before it ended, or something around its handler panicked.
    Dropped "dropped",
}

impl FailureKind {
    pub(crate) const COUNT: usize = Self::ALL.len();

    #[cold]
    pub(crate) fn of<M: Message>(error: &Error<M::Error>) -> Self {
        match error {
            Error::HandlerNotFound { .. } => Self::HandlerNotFound,
            Error::Invalid(_) => Self::Invalid,
            Error::Timeout {
                phase: Phase::NotStarted,
                ..
            } => Self::Late,
            Error::Timeout {
                limit: TimeLimit::Layer,
                ..
            } => Self::Timeout,
            Error::Timeout { .. } => Self::CallerTimeout,
            Error::Cancelled { .. } => Self::Cancelled,
            Error::CircuitOpen { .. } => Self::CircuitOpen,
            Error::RateLimited { .. } => Self::RateLimited,
            Error::Overloaded { .. } => Self::Overloaded,
            Error::Rejected(_) => Self::Rejected,
            Error::Panicked { .. } => Self::Panicked,
            Error::WouldDeadlock { .. } => Self::WouldDeadlock,
            Error::InDoubt => Self::InDoubt,
            Error::Handler(error) => match M::classify(error) {
                Class::Transient => Self::Transient,
                Class::Permanent => Self::Permanent,
                Class::Unclassified => Self::Unclassified,
            },
        }
    }
}
