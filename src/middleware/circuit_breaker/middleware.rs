//! [`CircuitBreakerMiddleware`]: the breaker around a handler.

use super::policy::{Admission, CircuitBreakerPolicy, Refused};
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::message::Message;
use crate::pipeline::{Entry, Middleware, through_entry};
use crate::sync::PlainArc;
use crate::verdict::Verdict;

/// Asks a [`CircuitBreakerPolicy`] before the handler and tells it how the handler did. Made by
/// [`CircuitBreaker`](super::CircuitBreaker).
#[derive(Debug)]
pub struct CircuitBreakerMiddleware {
    policy: PlainArc<CircuitBreakerPolicy>,
}

impl CircuitBreakerMiddleware {
    pub(super) fn new(policy: PlainArc<CircuitBreakerPolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for CircuitBreakerMiddleware {
    through_entry!(this => Breaker(&this.policy));
}

#[derive(Clone, Copy)]
struct Breaker<'p>(&'p CircuitBreakerPolicy);

impl<'p, 'c, M: Message> Entry<'c, M> for Breaker<'p> {
    type Pass = Admission<'p>;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &'c Context<'c>) -> Result<Admission<'p>, Error<M::Error>> {
        match self.0.admit_at(
            #[inline(always)]
            || cx.entry_tick(),
        ) {
            Ok(ticket) => Ok(Admission::new(self.0, ticket)),
            Err(refused) => Err(refused.into()),
        }
    }

    #[inline(always)]
    fn leave(&self, admission: Admission<'p>, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        let verdict = Verdict::of::<M>(outcome);
        admission.complete_at(
            verdict,
            #[inline(always)]
            || cx.done_tick(),
        );
    }
}

impl<E> From<Refused> for Error<E> {
    #[cold]
    fn from(refused: Refused) -> Self {
        let retry_after = refused.retry_after();
        Self::CircuitOpen { retry_after }
    }
}
