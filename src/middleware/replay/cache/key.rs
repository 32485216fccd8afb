//! [`Cacheable`]: the key under which a reply is kept.

use std::borrow::Borrow;
use std::hash::{Hash, Hasher};

use quick_cache::Equivalent;

use super::vary::Vary;
use crate::bounds::{LookupKey, QueryKind, ReplyClone};
use crate::context::Context;
use crate::message::Message;
use crate::sync::PlainArc;

/// A query whose reply may be given to every caller that asks with an equal key.
///
/// The simplest key is the query itself, because every parameter is then a part of the key by construction.
///
/// ```
/// use arcbus::middleware::Cacheable;
/// use arcbus::{Message, Query};
///
/// #[derive(Clone, PartialEq, Eq, Hash)]
/// struct FindUsers { role: String, page: u32 }
///
/// impl Message for FindUsers {
///     const NAME: &'static str = "user.find";
///     type Kind = Query;
///     type Reply = Vec<u64>;
///     type Error = std::convert::Infallible;
/// }
///
/// impl Cacheable for FindUsers {
///     type Key = Self;
///     fn key(&self) -> &Self { self }
/// }
/// ```
///
/// If the reply depends only on a part of the query, that part is the key. The key is then a number, a
/// string, or several of them in one value. A string is borrowed, so the lookup allocates nothing.
///
/// ```
/// # use arcbus::middleware::Cacheable;
/// # use arcbus::{Message, Query};
/// struct GetUser { email: String, trace_me: bool } // the reply does not depend on `trace_me`
/// # impl Message for GetUser {
/// #     const NAME: &'static str = "user.get";
/// #     type Kind = Query;
/// #     type Reply = u64;
/// #     type Error = std::convert::Infallible;
/// # }
///
/// impl Cacheable for GetUser {
///     type Key = str;
///     fn key(&self) -> &str { &self.email }
/// }
///
/// struct GetSeat { at: (u64, u32) }
/// # impl Message for GetSeat {
/// #     const NAME: &'static str = "seat.get";
/// #     type Kind = Query;
/// #     type Reply = u64;
/// #     type Error = std::convert::Infallible;
/// # }
///
/// impl Cacheable for GetSeat {
///     type Key = (u64, u32);
///     fn key(&self) -> &(u64, u32) { &self.at }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "replies to `{Self}` cannot be kept: it does not say under which key",
    label = "`Cacheable` is not implemented for `{Self}`",
    note = "for a query add `#[derive(Cacheable)]`, and `#[key]` to the fields that the reply depends on",
    note = "or write `impl Cacheable for {Self}` with `type Key = Self; fn key(&self) -> &Self {{ self }}`, derive `Clone, PartialEq, Eq, Hash` for it and `Clone` for its reply",
    note = "on a command leave the layer out: `cache.invalidator()` drops from a cache what a command changes, and `Idempotency` keeps it from acting twice",
    note = "a layer for some messages only goes into `.scope(|s| s.layer(..).register(..))`"
)]
pub trait Cacheable: Message<Kind: QueryKind, Reply: ReplyClone> {
    /// The part of the query that the reply depends on. `Hash` and `Eq` of the owned form must agree with
    /// those of the borrowed form, as [`Borrow`] demands. `Hash`, `Eq` and `Borrow` run under a lock, so they
    /// must not dispatch, nor use the layer's handle. `Clone` and the drop of a key run under no lock.
    type Key: LookupKey + ?Sized; // needs `#[derive(Clone, PartialEq, Eq, Hash)]`

    /// Returns the key of this query.
    fn key(&self) -> &Self::Key;
}

/// A key in its owned form, with the value of the context that belongs to the key.
pub(super) struct Id<K, T> {
    pub(super) key: K,
    by: Option<T>,
}

/// The id of a query of type `M`, whose replies vary by the context value that `V` selects.
pub(super) type IdOf<M, V> = Id<<<M as Cacheable>::Key as ToOwned>::Owned, <V as Vary>::By>;

/// An [`Id`] in borrowed form, made of a query and its context.
pub(super) struct IdRef<'a, Q: ?Sized, T> {
    key: &'a Q,
    by: Option<&'a T>,
}

impl<'a, Q: ?Sized, T> IdRef<'a, Q, T> {
    #[inline(always)]
    pub(super) fn of<M, V>(msg: &'a M, cx: &'a Context<'_>) -> Self
    where
        M: Cacheable<Key = Q>,
        V: Vary<By = T>,
    {
        Self {
            key: msg.key(),
            by: V::of(cx),
        }
    }

    /// Creates the id of a key without a value of the context.
    pub(super) fn alone(key: &'a Q) -> Self {
        Self { key, by: None }
    }

    pub(super) fn to_id(&self) -> Id<Q::Owned, T>
    where
        Q: ToOwned,
        T: Clone,
    {
        Id {
            key: self.key.to_owned(),
            by: self.by.cloned(),
        }
    }
}

/// Hashes a key and its context value. A missing value adds nothing, in the owned and the borrowed form.
fn hash<Q: Hash + ?Sized, T: Hash>(key: &Q, by: Option<&T>, state: &mut impl Hasher) {
    key.hash(state);
    if let Some(by) = by {
        by.hash(state);
    }
}

impl<K: Hash, T: Hash> Hash for Id<K, T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(&self.key, self.by.as_ref(), state);
    }
}

impl<Q: Hash + ?Sized, T: Hash> Hash for IdRef<'_, Q, T> {
    #[inline]
    fn hash<H: Hasher>(&self, state: &mut H) {
        hash(self.key, self.by, state);
    }
}

impl<K: Eq, T: Eq> PartialEq for Id<K, T> {
    fn eq(&self, other: &Self) -> bool {
        self.key == other.key && self.by == other.by
    }
}

impl<K: Eq, T: Eq> Eq for Id<K, T> {}

impl<Q, K, T> Equivalent<PlainArc<Id<K, T>>> for IdRef<'_, Q, T>
where
    Q: Eq + ?Sized,
    K: Borrow<Q>,
    T: Eq,
{
    #[inline]
    fn equivalent(&self, id: &PlainArc<Id<K, T>>) -> bool {
        self.key == id.key.borrow() && self.by == id.by.as_ref()
    }
}
