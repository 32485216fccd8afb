//! [`KeyedRateLimitGate`]: the adapter.

use std::fmt;

use super::{KeyedRateLimitPolicy, Select};
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::message::Message;
use crate::middleware::rate_limit::gate::refused;
use crate::pipeline::Gate;
use crate::sync::PlainArc;

/// What [`KeyedRateLimit`](super::KeyedRateLimit) makes.
pub struct KeyedRateLimitGate<S, K> {
    policy: PlainArc<KeyedRateLimitPolicy<K>>,
    select: S,
}

impl<S, K> KeyedRateLimitGate<S, K> {
    pub(super) fn new(policy: PlainArc<KeyedRateLimitPolicy<K>>, select: S) -> Self {
        Self { policy, select }
    }
}

impl<M: Message, S: Select<M>> Gate<M> for KeyedRateLimitGate<S, S::Key> {
    type Pass = ();

    fn enter(&self, msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        let key = self.select.key(msg, cx);
        self.policy.check_at(key, cx.entry_tick()).map_err(refused)
    }

    #[inline]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

impl<S, K> fmt::Debug for KeyedRateLimitGate<S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeyedRateLimitGate")
    }
}
