//! [`IdempotencyKey`], and where the key of a message comes from.

use std::fmt;

use crate::context::Context;
use crate::message::Message;
use crate::sync::PlainArc;

/// The key under which a command acts once: any text, made by who sends it, anew for each thing that is
/// to be done. A clone allocates nothing.
///
/// A [blank](Self::is_blank) text is no key: a header without a value would make one thing of all commands
/// that were sent with it.
///
/// In a [`Context`] it is the key of every dispatch made in that context: of each message type there is
/// one command, then.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct IdempotencyKey(PlainArc<str>);

impl IdempotencyKey {
    /// A key with this text.
    #[must_use]
    pub fn new(text: impl AsRef<str>) -> Self {
        Self(PlainArc::from(text.as_ref()))
    }

    /// Its text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns whether its text is empty or nothing but white space: then it is no key, and the layer
    /// treats the message as one without.
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

/// Where an [`Idempotency`](super::Idempotency) has the key of a message from.
pub trait KeySource<M: Message>: Send + Sync + 'static {
    /// The key, if the message has one.
    fn key(&self, msg: &M, cx: &Context<'_>) -> Option<IdempotencyKey>;
}

/// The [`IdempotencyKey`] in the context: the default.
#[derive(Clone, Copy, Debug, Default)]
pub struct ByContext;

impl<M: Message> KeySource<M> for ByContext {
    #[inline]
    fn key(&self, _msg: &M, cx: &Context<'_>) -> Option<IdempotencyKey> {
        cx.get::<IdempotencyKey>().cloned()
    }
}

/// A closure that makes the key of a message and its context.
#[derive(Clone, Copy)]
pub struct ByMessage<F>(pub(super) F);

impl<M, F> KeySource<M> for ByMessage<F>
where
    M: Message,
    F: Fn(&M, &Context<'_>) -> Option<IdempotencyKey> + Send + Sync + 'static,
{
    #[inline]
    fn key(&self, msg: &M, cx: &Context<'_>) -> Option<IdempotencyKey> {
        (self.0)(msg, cx)
    }
}

impl<F> fmt::Debug for ByMessage<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ByMessage")
    }
}
