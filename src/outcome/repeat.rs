//! [`Repeatable`]: the messages that may run more than once, and the errors after which they do.

use crate::bounds::{CommandKind, MessageClone};
use crate::message::{Command, Kind, Message, Query};

use super::error::Error;
use super::kind::{ErrorKind, RetryRule};

/// A command that may run more than once, because two runs have the effect of a single run. Its
/// author says so. Without this trait, a layer that may repeat a command does not compile.
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
    note = "if running it twice has the effect of running it once, add `#[message(idempotent)]` or write `impl Idempotent for {Self} {{}}`",
    note = "if not, leave the layer out: put it into a scope of the messages that may be repeated"
)]
pub trait Idempotent: Message<Kind: CommandKind> {}

/// A message that may run more than once: a query, or a command that is [`Idempotent`]. The handler
/// takes the message by value, so it must be `Clone`.
#[diagnostic::on_unimplemented(
    message = "the message `{Self}` cannot be run more than once",
    note = "a layer that repeats needs `Clone` of every message, and `Idempotent` of a command"
)]
pub trait Repeatable: Message<Kind: Repeats<Self>> + MessageClone {}

impl<M: Message<Kind: Repeats<M>> + MessageClone> Repeatable for M {}

/// A [`Kind`] whose message `M` may run again. Follows from [`Idempotent`].
pub trait Repeats<M>: Kind {
    /// True if another run is worth an attempt after an [`Unclassified`](Class::Unclassified) error
    /// of the handler.
    #[doc(hidden)]
    const UNCLASSIFIED: bool;
}

impl<M> Repeats<M> for Query {
    const UNCLASSIFIED: bool = true;
}

impl<M: Idempotent> Repeats<M> for Command {
    const UNCLASSIFIED: bool = false;
}

/// Returns whether another run may do better than the run that ended in `error`.
pub(crate) fn is_worth_repeating<M: Repeatable>(error: &Error<M::Error>) -> bool {
    match ErrorKind::of::<M>(error).retry() {
        RetryRule::Always => true,
        RetryRule::Queries => <M::Kind as Repeats<M>>::UNCLASSIFIED,
        RetryRule::Chosen | RetryRule::Never => false,
    }
}

/// Returns whether another run is allowed at all, even if a user's predicate agrees. Not allowed
/// where the message itself was rejected, nor where its caller has gone or its time is over. Never
/// allowed where the handler may have acted and nobody knows.
pub(crate) fn may_repeat<M: Message>(error: &Error<M::Error>) -> bool {
    ErrorKind::of::<M>(error).retry() != RetryRule::Never
}
