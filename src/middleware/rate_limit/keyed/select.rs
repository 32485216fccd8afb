//! [`Select`]: which key a message counts for.

use std::borrow::{Borrow, Cow};
use std::hash::Hash;

use crate::context::Context;

/// Finds the key of a message: [`ByValue`] or [`ByRef`].
pub trait Select<M>: Clone + Send + Sync + 'static {
    /// What is kept of a key.
    type Key: Borrow<Self::Borrowed> + Hash + Eq + Send + Sync + 'static;
    /// What a key is looked up by.
    type Borrowed: ToOwned<Owned = Self::Key> + Hash + Eq + ?Sized;

    /// The key of a message.
    fn key<'m>(&self, msg: &'m M, cx: &'m Context<'_>) -> Cow<'m, Self::Borrowed>;
}

/// A key that is made for each message, such as an id.
#[derive(Clone, Copy, Debug)]
pub struct ByValue<F>(pub F);

/// A key that is borrowed from the message or its context, such as a name: it is copied only when it
/// is new.
#[derive(Clone, Copy, Debug)]
pub struct ByRef<F>(pub F);

impl<M, K, F> Select<M> for ByValue<F>
where
    K: Clone + Hash + Eq + Send + Sync + 'static,
    F: Fn(&M, &Context<'_>) -> K + Clone + Send + Sync + 'static,
{
    type Key = K;
    type Borrowed = K;

    #[inline]
    fn key<'m>(&self, msg: &'m M, cx: &'m Context<'_>) -> Cow<'m, K> {
        Cow::Owned((self.0)(msg, cx))
    }
}

impl<M, Q, F> Select<M> for ByRef<F>
where
    Q: ToOwned<Owned: Hash + Eq + Send + Sync + 'static> + Hash + Eq + ?Sized + 'static,
    F: for<'m> Fn(&'m M, &'m Context<'_>) -> &'m Q + Clone + Send + Sync + 'static,
{
    type Key = Q::Owned;
    type Borrowed = Q;

    #[inline]
    fn key<'m>(&self, msg: &'m M, cx: &'m Context<'_>) -> Cow<'m, Q> {
        Cow::Borrowed((self.0)(msg, cx))
    }
}
