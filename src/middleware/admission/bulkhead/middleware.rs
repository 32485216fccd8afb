//! [`BulkheadGate`]: the middleware of a bulkhead without a queue.

use super::{BulkheadPolicy, Permit};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::Gate;
use crate::sync::PlainArc;

/// Takes a permit of a [`BulkheadPolicy`] for each message, or refuses the message. Made by
/// [`Bulkhead`](super::Bulkhead).
#[derive(Debug)]
pub struct BulkheadGate {
    pub(super) policy: PlainArc<BulkheadPolicy>,
}

impl BulkheadGate {
    pub(super) fn new(policy: PlainArc<BulkheadPolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for BulkheadGate {
    type Pass<'a> = Permit<'a>;

    #[inline(always)]
    fn enter<'a>(&'a self, _msg: &M, _cx: &Context<'_>) -> Result<Permit<'a>, Error<M::Error>> {
        let policy = &*self.policy;
        policy.try_acquire().ok_or_else(|| overloaded(policy))
    }

    #[inline(always)]
    fn leave<'a>(&'a self, permit: Permit<'a>, _outcome: &Outcome<M>, _cx: &Context<'_>) {
        drop(permit);
    }
}

#[cold]
pub(super) fn overloaded<E>(policy: &BulkheadPolicy) -> Error<E> {
    let limit = policy.usage().limit;
    Error::Overloaded { limit }
}
