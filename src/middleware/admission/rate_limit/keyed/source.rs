//! [`KeySource`]: the source of a message's key.

use super::policy::{KeyRefused, KeyedRateLimitPolicy};
use crate::bounds::{KeptKey, LookupKey};
use crate::context::Context;
use crate::message::Message;

/// A source from which a [`KeyedRateLimit`](super::KeyedRateLimit) takes the key of a message. Made by
/// the constructors of the layer.
pub trait KeySource<M: Message, K>: Send + Sync + 'static {
    /// Takes a token of the message's key.
    #[doc(hidden)]
    fn take(
        &self,
        keys: &KeyedRateLimitPolicy<K>,
        msg: &M,
        cx: &Context<'_>,
    ) -> Result<(), KeyRefused>;
}

/// A closure that makes the key from the message and its context.
#[derive(Clone, Copy)]
pub struct ByMessage<F>(pub(super) F);

/// A closure that finds the key in the message or its context.
#[derive(Clone, Copy)]
pub struct ByRef<F>(pub(super) F);

/// A closure that makes the key from the context, for messages of every type.
#[derive(Clone, Copy)]
pub struct ByContext<F>(pub(super) F);

impl<M, K, F> KeySource<M, K> for ByMessage<F>
where
    M: Message,
    K: KeptKey,
    F: Fn(&M, &Context<'_>) -> K + Send + Sync + 'static,
{
    #[inline]
    fn take(
        &self,
        keys: &KeyedRateLimitPolicy<K>,
        msg: &M,
        cx: &Context<'_>,
    ) -> Result<(), KeyRefused> {
        keys.check_at(&(self.0)(msg, cx), cx.entry_tick(), 1, || {
            cx.clock().ticks()
        })
    }
}

impl<M, Q, F> KeySource<M, Q::Owned> for ByRef<(F, fn(&Q))>
where
    M: Message,
    Q: LookupKey + ?Sized,
    F: for<'a> Fn(&'a M, &'a Context<'_>) -> &'a Q + Send + Sync + 'static,
{
    #[inline]
    fn take(
        &self,
        keys: &KeyedRateLimitPolicy<Q::Owned>,
        msg: &M,
        cx: &Context<'_>,
    ) -> Result<(), KeyRefused> {
        let (key, _) = &self.0;
        keys.check_at(key(msg, cx), cx.entry_tick(), 1, || cx.clock().ticks())
    }
}

impl<M, K, F> KeySource<M, K> for ByContext<F>
where
    M: Message,
    K: KeptKey,
    F: Fn(&Context<'_>) -> K + Send + Sync + 'static,
{
    #[inline]
    fn take(
        &self,
        keys: &KeyedRateLimitPolicy<K>,
        _msg: &M,
        cx: &Context<'_>,
    ) -> Result<(), KeyRefused> {
        keys.check_at(&(self.0)(cx), cx.entry_tick(), 1, || cx.clock().ticks())
    }
}

debug_name!([F] ByMessage<F>, "ByMessage");
debug_name!([F] ByRef<F>, "ByRef");
debug_name!([F] ByContext<F>, "ByContext");
