//! [`CircuitBreakerGate`]: the breaker around a handler.

use super::policy::{Admission, CircuitBreakerPolicy, Refused};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Ending;
use crate::outcome::{Error, Outcome};
use crate::pipeline::Gate;
use crate::sync::PlainArc;

/// Asks a [`CircuitBreakerPolicy`] before each call of the handler, and reports the outcome to the policy.
/// Created by [`CircuitBreaker`](super::CircuitBreaker).
#[derive(Debug)]
pub struct CircuitBreakerGate {
    pub(super) policy: PlainArc<CircuitBreakerPolicy>,
}

impl CircuitBreakerGate {
    pub(super) fn new(policy: PlainArc<CircuitBreakerPolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for CircuitBreakerGate {
    type Pass<'a> = Admission<'a>;

    #[inline(always)]
    fn enter<'a>(&'a self, _msg: &M, cx: &Context<'_>) -> Result<Admission<'a>, Error<M::Error>> {
        let admitted = self.policy.admit_at(
            #[inline(always)]
            || cx.entry_tick(),
            || cx.clock().ticks(),
        );
        admitted.map_err(Error::from)
    }

    #[inline(always)]
    fn leave<'a>(&'a self, admission: Admission<'a>, outcome: &Outcome<M>, cx: &Context<'_>) {
        match Ending::of::<M>(outcome, cx) {
            Ending::Judged(verdict) => admission.complete_at(
                verdict,
                #[inline(always)]
                || cx.done_tick(),
            ),
            Ending::Abandoned => abandon(admission, cx),
        }
    }

    fn abandon<'a>(&'a self, admission: Admission<'a>, cx: &Context<'_>) {
        abandon(admission, cx);
    }
}

#[cold]
fn abandon(admission: Admission<'_>, cx: &Context<'_>) {
    admission.abandon_at(&|| cx.clock().ticks());
}

impl<E> From<Refused> for Error<E> {
    #[cold]
    fn from(refused: Refused) -> Self {
        let retry_after = refused.retry_after();
        Self::CircuitOpen { retry_after }
    }
}
