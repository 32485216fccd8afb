//! [`Classify`]: an error that says whether another attempt can succeed.

use std::convert::Infallible;

use super::class::Class;
use super::error::Error;
use crate::sync::PlainArc;

/// An error that says whether another attempt can succeed.
///
/// `#[derive(Classify)]` implements the trait from attributes of the variants. With
/// `#[message(classify)]` on a message, its [`Message::classify`](crate::Message::classify) asks
/// the error.
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
    /// Returns the class of this error, on which policies base their decision.
    fn classify(&self) -> Class;
}

/// Classifies the error of a nested dispatch as [`Class::Nested`], so that an outer dispatch is
/// judged like the nested one. This impl cannot know that a query changes nothing, so call
/// [`Class::nested`] for the error of a nested query.
impl<E: Classify> Classify for Error<E> {
    fn classify(&self) -> Class {
        let (kind, may_have_acted) = self.judge(E::classify);
        Class::Nested {
            kind,
            may_have_acted,
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
