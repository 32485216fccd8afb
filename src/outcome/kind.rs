//! [`ErrorKind`], and the table with the meaning of each kind.

use std::fmt;

use super::phase::Phase;

/// Declares the kinds and their rows from a single table.
macro_rules! kinds {
    ($(
        $(#[$doc:meta])* $kind:ident
        $code:literal $phase:expr, $evidence:ident $retry:ident $replaced:ident $fault:ident
        $http:literal $grpc:ident
    ;)*) => {
        /// The kind of failure in which a dispatch ended. Everything that decides on an error reads
        /// the kind.
        ///
        /// [The table of errors](crate::docs::errors) lists for each kind the decisions of the
        /// policies, the HTTP status, the gRPC code and the stable [`code`](Self::code).
        ///
        /// ```
        /// use arcbus::{Error, ErrorKind};
        ///
        /// let error = Error::<String>::Overloaded { limit: 8 };
        /// assert_eq!(error.kind(), ErrorKind::Overloaded);
        /// assert_eq!(error.kind().code(), "overloaded");
        /// assert_eq!((error.kind().http_status(), error.kind().grpc_code()), (503, 14));
        /// ```
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        #[non_exhaustive]
        pub enum ErrorKind {
            $($(#[$doc])* $kind,)*
        }

        impl ErrorKind {
            /// All kinds of failure, in the order of the table.
            pub const ALL: &[Self] = &[$(Self::$kind,)*];

            const fn row(self) -> &'static Row {
                const ROWS: &[Row] = &[$(Row {
                    code: $code,
                    phase: $phase,
                    evidence: Evidence::$evidence,
                    retry: RetryRule::$retry,
                    is_replaced: flag!($replaced),
                    is_fault: flag!($fault),
                    http: $http,
                    grpc: Grpc::$grpc,
                },)*];
                &ROWS[self as usize]
            }
        }
    };
}

macro_rules! flag {
    (yes) => {
        true
    };
    (no) => {
        false
    };
}

const NOT_STARTED: Option<Phase> = Some(Phase::NotStarted);
const INDETERMINATE: Option<Phase> = Some(Phase::Indeterminate);
const ANSWERED: Option<Phase> = None;

// Columns: code; progress of the handler; evidence about the backend; another attempt; replaced by
// a fallback or a stale reply; fault of the service; HTTP status; gRPC code.
#[rustfmt::skip]
kinds! {
    /// No handler is registered for the message.
    HandlerNotFound "handler_not_found" NOT_STARTED,   None   Never   no  yes 501 Unimplemented;
    /// The message is invalid.
    Invalid         "invalid"           NOT_STARTED,   None   Never   no  no  400 InvalidArgument;
    /// The caller's deadline passed before the handler began.
    Late            "late"              NOT_STARTED,   None   Never   no  no  504 DeadlineExceeded;
    /// The limit of a layer passed before the handler began, because the dispatch waited too long
    /// for its turn.
    QueueTimeout    "queue_timeout"     NOT_STARTED,   None   Never   yes yes 503 Unavailable;
    /// The limit of a layer passed while the handler ran.
    Timeout         "timeout"           INDETERMINATE, Bad    Never   yes yes 504 DeadlineExceeded;
    /// The caller's deadline passed while the handler ran.
    CallerTimeout   "caller_timeout"    INDETERMINATE, Caller Never   no  no  504 DeadlineExceeded;
    /// The caller cancelled the dispatch before the handler began.
    CancelledEarly  "cancelled_early"   NOT_STARTED,   None   Never   no  no  499 Cancelled;
    /// The caller cancelled the dispatch while the handler ran.
    Cancelled       "cancelled"         INDETERMINATE, Caller Never   no  no  499 Cancelled;
    /// A circuit breaker was open.
    CircuitOpen     "circuit_open"      NOT_STARTED,   None   Always  yes yes 503 Unavailable;
    /// A rate limit was exhausted.
    RateLimited     "rate_limited"      NOT_STARTED,   None   Always  yes no  429 ResourceExhausted;
    /// A concurrency limit or a queue was full.
    Overloaded      "overloaded"        NOT_STARTED,   None   Always  yes yes 503 Unavailable;
    /// A guard rejected a caller that it does not know.
    Unauthenticated "unauthenticated"   NOT_STARTED,   None   Never   no  no  401 Unauthenticated;
    /// A guard rejected a caller that lacks the permission.
    Forbidden       "forbidden"         NOT_STARTED,   None   Never   no  no  403 PermissionDenied;
    /// A guard rejected a message that contradicts an earlier one.
    Conflict        "conflict"          NOT_STARTED,   None   Never   no  no  409 AlreadyExists;
    /// A guard rejected the message for another reason.
    Rejected        "rejected"          NOT_STARTED,   None   Never   no  no  403 FailedPrecondition;
    /// The handler panicked.
    Panicked        "panicked"          INDETERMINATE, Bad    Never   yes yes 500 Internal;
    /// Waiting would never have ended. The handler may have begun.
    WouldDeadlock   "would_deadlock"    INDETERMINATE, None   Never   no  yes 500 Internal;
    /// An earlier run of the command has no known outcome.
    InDoubt         "in_doubt"          INDETERMINATE, None   Never   no  yes 409 FailedPrecondition;
    /// The handler's own error, [`Class::Transient`](crate::Class::Transient).
    Transient       "transient"         ANSWERED,      Bad    Always  yes yes 503 Unavailable;
    /// The handler's own error, [`Class::Permanent`](crate::Class::Permanent).
    Permanent       "permanent"         ANSWERED,      Good   Chosen  no  no  422 FailedPrecondition;
    /// The handler's own error, [`Class::Unclassified`](crate::Class::Unclassified).
    Unclassified    "unclassified"      ANSWERED,      Bad    Queries yes yes 500 Unknown;
    /// The dispatch was dropped before its end, or user code around its handler panicked. Only
    /// metrics and traces see this kind: no error has it.
    Dropped         "dropped"           INDETERMINATE, Caller Never   no  no  499 Cancelled;
}

struct Row {
    code: &'static str,
    /// Progress of the handler, or `None` if the handler ran to its end, and its error says what
    /// happened.
    phase: Option<Phase>,
    evidence: Evidence,
    retry: RetryRule,
    is_replaced: bool,
    is_fault: bool,
    http: u16,
    grpc: Grpc,
}

/// Evidence that an outcome gives about the health of the backend.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Evidence {
    /// The backend answered, even if with an error that is the caller's fault.
    Good,
    /// The backend failed to do its work.
    Bad,
    /// The backend was not asked, or did not get to answer.
    None,
    /// The caller ended the dispatch, so the time that the backend had decides.
    Caller,
}

/// Says whether another attempt may be made after an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RetryRule {
    /// Allowed for any message that may run more than once.
    Always,
    /// Allowed for a query, and for a command if a user's predicate agrees.
    Queries,
    /// Allowed only if a user's predicate agrees, for queries and commands alike.
    Chosen,
    /// Never allowed, not even if a user's predicate agrees.
    Never,
}

/// The status codes of gRPC, each with its number.
#[derive(Clone, Copy, Debug)]
enum Grpc {
    Cancelled = 1,
    Unknown = 2,
    InvalidArgument = 3,
    DeadlineExceeded = 4,
    AlreadyExists = 6,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    FailedPrecondition = 9,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl ErrorKind {
    pub(crate) const COUNT: usize = Self::ALL.len();

    /// Returns the stable name of the kind, as used in metrics, traces, and errors that are sent as
    /// JSON. Lower case, with words separated by `_`. [`Display`](fmt::Display) writes this name,
    /// too.
    #[must_use]
    pub const fn code(self) -> &'static str {
        self.row().code
    }

    /// Returns the progress of the handler, or `None` if the handler ran to its end and the error
    /// is its own.
    #[must_use]
    pub const fn phase(self) -> Option<Phase> {
        self.row().phase
    }

    /// Returns whether the handler may have acted although nobody knows, which is
    /// [`Phase::Indeterminate`].
    #[must_use]
    pub const fn is_indeterminate(self) -> bool {
        matches!(self.phase(), INDETERMINATE)
    }

    /// Returns whether the service is the reason: its handler, its backend or the bus could not do
    /// the work. `false` where the message, its caller or the caller's limits are the reason. A
    /// trace sets the status of its span accordingly.
    #[must_use]
    pub const fn is_fault(self) -> bool {
        self.row().is_fault
    }

    /// Returns the HTTP status that tells a client of this kind, from 400 to 599. For a kind after
    /// which the handler may have acted, never a status that invites a client to send again (408,
    /// 425, 429, 503).
    #[must_use]
    pub const fn http_status(self) -> u16 {
        self.row().http
    }

    /// Returns the number of the gRPC status code, from 1 to 16.
    #[must_use]
    pub const fn grpc_code(self) -> i32 {
        self.row().grpc as i32
    }

    /// Returns the kind of a nested error for the outer dispatch, whose handler returns that error.
    ///
    /// The caller of a nested dispatch is the handler, so a deadline of that caller is a limit of
    /// the service.
    pub(crate) const fn handed_on(self) -> Self {
        match self {
            Self::Late => Self::QueueTimeout,
            Self::CallerTimeout => Self::Timeout,
            kind => kind,
        }
    }

    pub(crate) const fn evidence(self) -> Evidence {
        self.row().evidence
    }

    pub(crate) const fn retry(self) -> RetryRule {
        self.row().retry
    }

    /// Returns whether another reply may take the place of the error: the reply of a
    /// [`Fallback`](crate::middleware::Fallback), or a stale reply of a
    /// [`Cache`](crate::middleware::Cache).
    pub(crate) const fn is_replaced(self) -> bool {
        self.row().is_replaced
    }

    /// Returns whether an error of this kind has a [time](crate::Error::retry_after) for the next
    /// attempt.
    pub(crate) const fn says_when(self) -> bool {
        matches!(self, Self::CircuitOpen | Self::RateLimited)
    }
}

impl fmt::Display for ErrorKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.code())
    }
}

#[cfg(test)]
mod tests;
