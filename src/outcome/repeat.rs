//! Which messages may be run more than once, and after which errors.

use crate::bounds::{CommandKind, MessageClone};
use crate::message::{Command, Kind, Message, Query};

use super::error::Error;
use super::kind::{ErrorKind, RetryRule};

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
    note = "if running it twice has the effect of running it once, add `#[message(idempotent)]` or write `impl Idempotent for {Self} {{}}`",
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

/// Returns whether another run may do better than the one that ended in `error`.
pub(crate) fn is_worth_repeating<M: Repeatable>(error: &Error<M::Error>) -> bool {
    match ErrorKind::of::<M>(error).retry() {
        RetryRule::Always => true,
        RetryRule::Queries => <M::Kind as Repeats<M>>::UNCLASSIFIED,
        RetryRule::Chosen | RetryRule::Never => false,
    }
}

/// Returns whether another run is allowed at all, whatever a user's predicate says: not where the message was
/// refused for what it is, not where its caller has gone or its time is over, and never where the handler may
/// have acted and nobody knows.
pub(crate) fn may_repeat<M: Message>(error: &Error<M::Error>) -> bool {
    ErrorKind::of::<M>(error).retry() != RetryRule::Never
}
