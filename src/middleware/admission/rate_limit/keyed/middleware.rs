//! [`KeyedRateLimitGate`]: the limits in front of a handler.

use std::fmt;

use super::policy::{KeyRefused, KeyedRateLimitPolicy};
use super::source::KeySource;
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::Gate;
use crate::sync::{Arc, PlainArc};

/// Takes a token of the message's key, or refuses the message. Made by
/// [`KeyedRateLimit`](super::KeyedRateLimit).
pub struct KeyedRateLimitGate<K, S> {
    pub(super) policy: PlainArc<KeyedRateLimitPolicy<K>>,
    source: Arc<S>,
}

impl<K, S> KeyedRateLimitGate<K, S> {
    pub(super) fn new(policy: PlainArc<KeyedRateLimitPolicy<K>>, source: Arc<S>) -> Self {
        Self { policy, source }
    }
}

#[diagnostic::do_not_recommend]
impl<M, K, S> Gate<M> for KeyedRateLimitGate<K, S>
where
    M: Message,
    K: Send + Sync + 'static,
    S: KeySource<M, K>,
{
    type Pass<'a> = ();

    #[inline]
    fn enter(&self, msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        let taken = self.source.take(&self.policy, msg, cx);
        taken.map_err(KeyRefused::into_error)
    }

    #[inline]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

impl<K, S> fmt::Debug for KeyedRateLimitGate<K, S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyedRateLimitGate")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
