//! Which messages may be run more than once, and after which errors.

use crate::bounds::{CommandKind, MessageClone};
use crate::message::{Class, Command, Kind, Message, Query};
use crate::outcome::{Error, Phase};

/// A command that may be run more than once: twice has the effect of once. Said by its author; without
/// it, a layer that may repeat a command does not compile.
///
/// ```
/// use arcbus::{Command, Idempotent, Message};
///
/// #[derive(Clone)]
/// struct SetLimit { account: u64, limit: u64 } // twice is once; adding to a limit would not be
///
/// impl Message for SetLimit {
///     const NAME: &'static str = "account.set_limit";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// impl Idempotent for SetLimit {}
/// ```
#[diagnostic::on_unimplemented(
    message = "the command `{Self}` may not be run more than once",
    label = "`Idempotent` is not implemented for `{Self}`",
    note = "if running it twice has the effect of running it once, write `impl Idempotent for {Self} {{}}`",
    note = "if not, leave the layer out: put it into a scope of the messages that may be repeated"
)]
pub trait Idempotent: Message<Kind: CommandKind> {}

/// A message that may be run more than once: a query, or a command that is [`Idempotent`]; and that can
/// be copied, for the handler takes it by value.
#[diagnostic::on_unimplemented(
    message = "the message `{Self}` cannot be run more than once",
    note = "a layer that repeats needs `Clone` of every message, and `Idempotent` of a command"
)]
pub trait Repeatable: Message<Kind: Repeats<Self>> + MessageClone {}

impl<M: Message<Kind: Repeats<M>> + MessageClone> Repeatable for M {}

/// What a [`Kind`] says of running the message `M` again. Follows from [`Idempotent`].
pub trait Repeats<M>: Kind {
    /// Whether it is worth another run after an error of the handler that is
    /// [`Unclassified`](Class::Unclassified).
    #[doc(hidden)]
    const UNCLASSIFIED: bool;
}

impl<M> Repeats<M> for Query {
    const UNCLASSIFIED: bool = true;
}

impl<M: Idempotent> Repeats<M> for Command {
    const UNCLASSIFIED: bool = false;
}

/// Whether another run may do better than the one that ended in `error`.
///
/// | error | another run |
/// |---|---|
/// | the handler's, [`Class::Transient`] | yes |
/// | the handler's, [`Class::Unclassified`] | of a query, not of a command |
/// | the handler's, [`Class::Permanent`] | no |
/// | a circuit is open; a rate or concurrency limit is reached | yes |
/// | all others | no, see [`may_repeat`] |
pub(crate) fn is_worth_repeating<M: Repeatable>(error: &Error<M::Error>) -> bool {
    match error {
        Error::Handler(error) => match M::classify(error) {
            Class::Transient => true,
            Class::Unclassified => <M::Kind as Repeats<M>>::UNCLASSIFIED,
            Class::Permanent => false,
        },
        error => may_repeat(error),
    }
}

/// Whether another run is allowed at all, whatever a user's predicate says: not where the message was
/// refused for what it is, not where its caller has gone or its time is over, and never where the
/// handler may have acted and nobody knows.
pub(crate) fn may_repeat<E>(error: &Error<E>) -> bool {
    match error {
        Error::Handler(_)
        | Error::CircuitOpen { .. }
        | Error::RateLimited { .. }
        | Error::Overloaded { .. } => true,
        Error::HandlerNotFound { .. }
        | Error::Invalid(_)
        | Error::Rejected(_)
        | Error::Timeout {
            phase: Phase::NotStarted | Phase::Indeterminate,
            ..
        }
        | Error::Cancelled { .. }
        | Error::Panicked { .. }
        | Error::WouldDeadlock { .. }
        | Error::InDoubt => false,
    }
}
