//! [`BulkheadMiddleware`]: the adapter without a queue.

use super::{BulkheadPolicy, Permit};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Entry, Middleware, through_entry};
use crate::sync::PlainArc;

/// What [`Bulkhead`](super::Bulkhead) makes for a route.
#[derive(Debug)]
pub struct BulkheadMiddleware {
    policy: PlainArc<BulkheadPolicy>,
}

impl BulkheadMiddleware {
    pub(super) fn new(policy: PlainArc<BulkheadPolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for BulkheadMiddleware {
    through_entry!(this => Door(&this.policy));
}

/// A gate whose pass borrows the policy: a [`Gate`](crate::Gate)'s would have to count a reference,
/// which is two more locked instructions a dispatch.
#[derive(Clone, Copy)]
struct Door<'p>(&'p BulkheadPolicy);

impl<'p, 'c, M: Message> Entry<'c, M> for Door<'p> {
    type Pass = Permit<'p>;

    #[inline(always)]
    fn enter(&self, _msg: &M, _cx: &'c Context<'c>) -> Result<Permit<'p>, Error<M::Error>> {
        self.0.try_acquire().ok_or_else(|| overloaded(self.0))
    }

    #[inline(always)]
    fn leave(&self, permit: Permit<'p>, _: &Outcome<M>, _: &'c Context<'c>) {
        drop(permit);
    }
}

#[cold]
pub(super) fn overloaded<E>(policy: &BulkheadPolicy) -> Error<E> {
    let limit = policy.usage().limit;
    Error::Overloaded { limit }
}
