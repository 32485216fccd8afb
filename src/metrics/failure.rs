//! [`FailureKind`]: how a dispatch failed, to count it.

use crate::message::{Class, Message};
use crate::outcome::{Error, Phase, TimeLimit};

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
    /// Returns whether the service is the reason: its handler, its backend, or the bus itself could not do
    /// what it was asked for. `false` where the message, its caller or the caller's limits are: `Invalid`,
    /// `Rejected`, `RateLimited`, `Permanent`, `Late`, `CallerTimeout`, `Cancelled`, `Dropped`. HTTP draws this line
    /// between 5xx and 4xx; a trace sets the status of its span by it.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        match self {
            Self::HandlerNotFound
            | Self::Timeout
            | Self::CircuitOpen
            | Self::Overloaded
            | Self::Panicked
            | Self::WouldDeadlock
            | Self::InDoubt
            | Self::Transient
            | Self::Unclassified => true,
            Self::Invalid
            | Self::Late
            | Self::CallerTimeout
            | Self::Cancelled
            | Self::RateLimited
            | Self::Rejected
            | Self::Permanent
            | Self::Dropped => false,
        }
    }

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
