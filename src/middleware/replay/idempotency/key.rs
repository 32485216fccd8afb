//! [`IdempotencyKey`], and the sources of a message's key.

use std::fmt;

use crate::bounds::CommandKind;
use crate::context::Context;
use crate::message::Message;
use crate::pipeline::Extract;
use crate::sync::PlainArc;

/// The key under which a command acts once. The key is any text that the sender makes anew for each command
/// to be executed, and a clone allocates nothing.
///
/// A [blank](Self::is_blank) text is no key, because a header without a value would join all commands sent
/// with that header.
///
/// A key in a [`Context`] is the key of every dispatch made in that context, so each message type has one
/// command in the context.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(PlainArc<str>);

impl IdempotencyKey {
    /// Creates a key with this text.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(PlainArc::from(text.as_ref()))
    }

    /// Returns the text of the key.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether the text is empty or only white space. The layer treats a message with such a key as a
    /// message without a key.
    #[must_use]
    pub fn is_blank(&self) -> bool {
        self.as_str().chars().all(char::is_whitespace)
    }
}

impl AsRef<str> for IdempotencyKey {
    fn as_ref(&self) -> &str {
        self.as_str()
    }
}

impl From<&str> for IdempotencyKey {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

impl From<String> for IdempotencyKey {
    fn from(text: String) -> Self {
        Self(PlainArc::from(text))
    }
}

impl fmt::Debug for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "IdempotencyKey({:?})", self.as_str())
    }
}

impl fmt::Display for IdempotencyKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Takes the [`IdempotencyKey`] from the context, which is the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByContext;

impl<M: Message> Extract<M, Option<IdempotencyKey>> for ByContext {
    #[inline]
    fn extract(&self, _msg: &M, cx: &Context<'_>) -> Option<IdempotencyKey> {
        cx.get::<IdempotencyKey>().cloned()
    }
}

/// A command that carries its idempotency key in itself, for
/// [`Idempotency::key_in_message`](super::Idempotency::key_in_message).
///
/// `#[derive(Command)]` implements the trait for a field with `#[idempotency_key]`.
///
/// ```
/// use arcbus::middleware::idempotency::{HasIdempotencyKey, IdempotencyKey};
/// # use arcbus::{Command, Message};
/// # struct Charge { request: IdempotencyKey }
/// # impl Message for Charge {
/// #     const NAME: &'static str = "card.charge";
/// #     type Kind = Command;
/// #     type Reply = u64;
/// #     type Error = std::convert::Infallible;
/// # }
///
/// impl HasIdempotencyKey for Charge {
///     fn idempotency_key(&self) -> Option<IdempotencyKey> {
///         Some(self.request.clone())
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "the command `{Self}` carries no idempotency key",
    label = "`HasIdempotencyKey` is not implemented for `{Self}`",
    note = "write `#[idempotency_key]` before the field of `{Self}` that has it, and `#[derive(Command)]` before the type",
    note = "or leave out `.key_in_message()`: then the key comes from the context"
)]
pub trait HasIdempotencyKey: Message<Kind: CommandKind> {
    /// Returns the key, if this command has a key.
    fn idempotency_key(&self) -> Option<IdempotencyKey>;
}

/// Takes the key from the message by [`HasIdempotencyKey`].
#[derive(Clone, Copy, Debug, Default)]
pub struct ByField;

impl<M: HasIdempotencyKey> Extract<M, Option<IdempotencyKey>> for ByField {
    #[inline]
    fn extract(&self, msg: &M, _cx: &Context<'_>) -> Option<IdempotencyKey> {
        msg.idempotency_key()
    }
}

/// The type of a field with `#[idempotency_key]`: an [`IdempotencyKey`], a text, or an `Option` of either.
///
/// An `IdempotencyKey` allocates nothing, while a text is copied in each dispatch.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not an idempotency key",
    label = "an idempotency key is a text",
    note = "make the field an `arcbus::middleware::IdempotencyKey`, by `IdempotencyKey::new(value.to_string())`, or a `String`"
)]
pub trait ToIdempotencyKey {
    /// Returns the key, if the field has a value.
    fn to_idempotency_key(&self) -> Option<IdempotencyKey>;
}

impl ToIdempotencyKey for IdempotencyKey {
    fn to_idempotency_key(&self) -> Option<IdempotencyKey> {
        Some(self.clone())
    }
}

impl<T: ToIdempotencyKey> ToIdempotencyKey for Option<T> {
    fn to_idempotency_key(&self) -> Option<IdempotencyKey> {
        self.as_ref().and_then(T::to_idempotency_key)
    }
}

macro_rules! texts_are_keys {
    ($($text:ty),*) => {
        $(impl ToIdempotencyKey for $text {
            fn to_idempotency_key(&self) -> Option<IdempotencyKey> {
                Some(IdempotencyKey::new(self))
            }
        })*
    };
}

texts_are_keys!(String, &'static str, Box<str>, PlainArc<str>);
