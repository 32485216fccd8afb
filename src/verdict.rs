//! [`Verdict`]: what an outcome says of what is behind the handler.

use crate::error::{Error, Outcome, Phase, TimeLimit};
use crate::message::{Class, Message};

/// What an outcome says of the health of what is behind the handler. The one place that all policies
/// ask: a breaker, an adaptive limit and the metrics agree on it.
///
/// | outcome | verdict |
/// |---|---|
/// | a reply | `Success` |
/// | the handler's error, [`Class::Permanent`] | `Success`: it was answered, the message was wrong |
/// | the handler's error, [`Class::Transient`] or [`Class::Unclassified`] | `Failure` |
/// | a panic; a layer's time limit that passed while the handler ran | `Failure` |
/// | late before it began; ended by its caller's deadline, or cancelled by it | `Neutral` |
/// | refused: invalid, rejected, rate limited, overloaded, circuit open, would deadlock, in doubt, no handler | `Neutral` |
///
/// ```
/// use std::io;
/// use arcbus::{Error, Message, Query, Verdict};
///
/// struct Ping;
/// impl Message for Ping {
///     const NAME: &'static str = "ping";
///     type Kind = Query;
///     type Reply = ();
///     type Error = io::Error;
/// }
///
/// assert_eq!(Verdict::of::<Ping>(&Ok(())), Verdict::Success);
/// assert_eq!(Verdict::of::<Ping>(&Err(Error::Handler(io::Error::other("down")))), Verdict::Failure);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// It works.
    Success,
    /// It does not.
    Failure,
    /// The handler did not run, or was stopped by its caller: this says nothing of it.
    Neutral,
}

impl Verdict {
    /// What `outcome` says.
    #[inline(always)]
    pub fn of<M: Message>(outcome: &Outcome<M>) -> Self {
        match outcome {
            Ok(_) => Self::Success,
            Err(error) => Self::of_error::<M>(error),
        }
    }

    #[cold]
    pub(crate) fn of_error<M: Message>(error: &Error<M::Error>) -> Self {
        match error {
            Error::Handler(error) => Self::of_class(M::classify(error)),
            Error::Panicked { .. }
            | Error::Timeout {
                phase: Phase::Indeterminate,
                limit: TimeLimit::Layer,
                ..
            } => Self::Failure,
            Error::Timeout { .. }
            | Error::Cancelled { .. }
            | Error::HandlerNotFound { .. }
            | Error::Invalid(_)
            | Error::Rejected(_)
            | Error::CircuitOpen { .. }
            | Error::RateLimited { .. }
            | Error::Overloaded { .. }
            | Error::WouldDeadlock { .. }
            | Error::InDoubt => Self::Neutral,
        }
    }

    fn of_class(class: Class) -> Self {
        match class {
            Class::Permanent => Self::Success,
            Class::Transient | Class::Unclassified => Self::Failure,
        }
    }
}
