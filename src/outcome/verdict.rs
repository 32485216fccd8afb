//! [`Verdict`]: classifies an outcome as evidence about the backend's health.

use std::time::Duration;

use crate::context::Context;
use crate::message::Message;

use super::error::{Error, Outcome};
use super::kind::{ErrorKind, Evidence};

/// Classifies an outcome as evidence about the health of the backend. A breaker, an adaptive limit
/// and a hedge all use this verdict, so that they agree.
///
/// | outcome | verdict |
/// |---|---|
/// | a reply | `Success` |
/// | the handler's error, [`Class::Permanent`] | `Success`: it was answered, the message was wrong |
/// | the handler's error, [`Class::Transient`] or [`Class::Unclassified`] | `Failure` |
/// | the handler's error, [`Class::Nested`] | as of the error that it carries |
/// | a panic; a layer's time limit that passed while the handler ran | `Failure` |
/// | late before it began | `Neutral` |
/// | ended by its caller: by the caller's deadline or token, or because the future was dropped | `Neutral` |
/// | refused: invalid, rejected, rate limited, overloaded, circuit open, would deadlock, in doubt, no handler | `Neutral` |
///
/// [The table of errors](crate::docs::errors) has the verdict on each kind of error.
///
/// [`Class::Permanent`]: crate::Class::Permanent
/// [`Class::Transient`]: crate::Class::Transient
/// [`Class::Unclassified`]: crate::Class::Unclassified
/// [`Class::Nested`]: crate::Class::Nested
///
/// # Callers in a hurry
///
/// A dispatch that its caller ends early says nothing about the backend. Ten callers that give a
/// healthy backend a tenth of the time that it needs must not lock out a patient one. So such a
/// dispatch counts for nothing, unless the backend had longer than anybody should wait. Each layer
/// that judges has a setting `slow_after`, and a dispatch that its caller ended at or after that
/// time is a failure: see [`after`](Verdict::after). A breaker thus learns of a hanging backend
/// even where every caller has a deadline and no layer has a limit.
///
/// Inside a dispatch, an error of the handler (unless it is a `Success`) that comes after the
/// caller has gone counts as the caller's doing, too. A handler that passes its deadline on to a
/// client or to another dispatch fails when that deadline passes.
///
/// For a layer, everything further out is the caller, including a
/// [`Timeout`](crate::middleware::Timeout) that drops the layer. So put a timeout inside the layers
/// that judge.
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
    /// The backend works, even if its answer is a permanent error.
    Success,
    /// The backend does not work, or took too long.
    Failure,
    /// The handler did not run, or was stopped by its caller, which says nothing about the backend.
    Neutral,
}

impl Verdict {
    /// Judges `outcome` without regard to its duration, so that an outcome that the caller caused
    /// is neutral.
    #[inline(always)]
    pub fn of<M: Message>(outcome: &Outcome<M>) -> Self {
        match outcome {
            Ok(_) => Self::Success,
            Err(error) => Self::of_error::<M>(error),
        }
    }

    /// Judges the outcome of a dispatch that ran for `elapsed`. Differs from [`of`](Verdict::of) in
    /// that an outcome that the caller caused after `slow_after` or later is a failure, unless
    /// `slow_after` is `None`.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::{Error, Message, Outcome, Phase, Query, TimeLimit, Verdict};
    ///
    /// struct Ping;
    /// impl Message for Ping {
    ///     const NAME: &'static str = "ping";
    ///     type Kind = Query;
    ///     type Reply = ();
    ///     type Error = std::convert::Infallible;
    /// }
    ///
    /// let verdict = |elapsed| {
    ///     let (phase, limit) = (Phase::Indeterminate, TimeLimit::Caller);
    ///     let hasty: Outcome<Ping> = Err(Error::Timeout { phase, limit, elapsed });
    ///     Verdict::after::<Ping>(&hasty, elapsed, Some(Duration::from_secs(1)))
    /// };
    /// assert_eq!(verdict(Duration::from_millis(3)), Verdict::Neutral);
    /// assert_eq!(verdict(Duration::from_secs(1)), Verdict::Failure);
    /// ```
    pub fn after<M: Message>(
        outcome: &Outcome<M>,
        elapsed: Duration,
        slow_after: Option<Duration>,
    ) -> Self {
        match outcome {
            Err(error) if ErrorKind::of::<M>(error).evidence() == Evidence::Caller => {
                Self::of_abandoned(slow_after.is_some_and(|slow_after| elapsed >= slow_after))
            }
            outcome => Self::of::<M>(outcome),
        }
    }

    /// Judges a dispatch that its caller ended, as a failure if slow.
    pub(crate) fn of_abandoned(is_slow: bool) -> Self {
        match is_slow {
            true => Self::Failure,
            false => Self::Neutral,
        }
    }

    #[cold]
    pub(crate) fn of_error<M: Message>(error: &Error<M::Error>) -> Self {
        ErrorKind::of::<M>(error).verdict()
    }
}

impl ErrorKind {
    /// Returns the verdict on an outcome of this kind, without regard to its duration. See
    /// [`Verdict`].
    #[must_use]
    pub fn verdict(self) -> Verdict {
        match self.evidence() {
            Evidence::Good => Verdict::Success,
            Evidence::Bad => Verdict::Failure,
            Evidence::None | Evidence::Caller => Verdict::Neutral,
        }
    }
}

/// The end of a call to the inner service of a layer that judges.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ending {
    Judged(Verdict),
    /// Ended by the caller, like a dropped future. The running time decides
    /// ([`Verdict::of_abandoned`]).
    Abandoned,
}

impl Ending {
    #[inline(always)]
    pub(crate) fn of<M: Message>(outcome: &Outcome<M>, cx: &Context<'_>) -> Self {
        match outcome {
            Ok(_) => Self::Judged(Verdict::Success),
            Err(error) => Self::of_error::<M>(error, cx),
        }
    }

    #[cold]
    pub(crate) fn of_error<M: Message>(error: &Error<M::Error>, cx: &Context<'_>) -> Self {
        let kind = ErrorKind::of::<M>(error);
        let is_abandoned = match error {
            Error::Handler(_) => kind.verdict() != Verdict::Success && cx.has_lost_its_caller(),
            _ => kind.evidence() == Evidence::Caller,
        };
        if is_abandoned {
            Self::Abandoned
        } else {
            Self::Judged(kind.verdict())
        }
    }
}
