//! [`Classify`]: an error that says whether another try can succeed.

use std::convert::Infallible;

use super::Error;
use crate::message::Class;
use crate::sync::PlainArc;

/// An error that says whether another try can succeed.
///
/// `#[derive(Classify)]` writes it from attributes of the variants, and `#[message(classify)]` on a message
/// lets its [`Message::classify`](crate::Message::classify) ask the error.
///
/// ```
/// use arcbus::{Class, Classify};
///
/// enum PayError {
///     BankIsDown,
///     NoSuchAccount(u64),
/// }
///
/// impl Classify for PayError {
///     fn classify(&self) -> Class {
///         match self {
///             Self::BankIsDown => Class::Transient,
///             Self::NoSuchAccount(_) => Class::Permanent,
///         }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not say which of its errors may pass",
    label = "`Classify` is not implemented for `{Self}`",
    note = "add `#[derive(Classify)]` to `{Self}`, and `#[transient]`, `#[permanent]` or `#[nested]` to its variants",
    note = "for an error of another crate write `#[transient]` or `#[permanent]` instead of `#[nested]`, or `#[message(classify = path)]` with a function `fn(&{Self}) -> Class`"
)]
pub trait Classify {
    /// Returns the class of this error.
    fn classify(&self) -> Class;
}

/// The error of a nested dispatch.
///
/// | error | class |
/// |---|---|
/// | the handler's | its own |
/// | a circuit is open; a rate or concurrency limit is reached | `Transient` |
/// | invalid, rejected, no handler, would deadlock | `Permanent` |
/// | a time limit, a cancellation, a panic, in doubt | `Unclassified`: a query may be repeated, a command not |
impl<E: Classify> Classify for Error<E> {
    fn classify(&self) -> Class {
        match self {
            Self::Handler(error) => error.classify(),
            Self::CircuitOpen { .. } | Self::RateLimited { .. } | Self::Overloaded { .. } => {
                Class::Transient
            }
            Self::Invalid(_)
            | Self::Rejected(_)
            | Self::HandlerNotFound { .. }
            | Self::WouldDeadlock { .. } => Class::Permanent,
            Self::Timeout { .. }
            | Self::Cancelled { .. }
            | Self::Panicked { .. }
            | Self::InDoubt => Class::Unclassified,
        }
    }
}

impl Classify for Infallible {
    fn classify(&self) -> Class {
        match *self {}
    }
}

impl<E: Classify + ?Sized> Classify for Box<E> {
    fn classify(&self) -> Class {
        (**self).classify()
    }
}

impl<E: Classify + ?Sized> Classify for PlainArc<E> {
    fn classify(&self) -> Class {
        (**self).classify()
    }
}
