//! [`CircuitBreakerMiddleware`]: the breaker around a handler.

use super::policy::{CircuitBreakerPolicy, Refused, Ticket};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Ending;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Entry, Middleware, through_entry};
use crate::sync::PlainArc;

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

/// A call that was let through. Dropped, it was abandoned by its caller.
struct Pass<'p, 'c> {
    policy: &'p CircuitBreakerPolicy,
    ticket: Ticket,
    cx: &'c Context<'c>,
}

impl<'p, 'c, M: Message> Entry<'c, M> for Breaker<'p> {
    type Pass = Pass<'p, 'c>;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &'c Context<'c>) -> Result<Self::Pass, Error<M::Error>> {
        let policy = self.0;
        match policy.admit_at(
            #[inline(always)]
            || cx.entry_tick(),
            || cx.clock().ticks(),
        ) {
            Ok(ticket) => Ok(Pass { policy, ticket, cx }),
            Err(refused) => Err(refused.into()),
        }
    }

    #[inline(always)]
    fn leave(&self, pass: Self::Pass, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        let Ending::Judged(verdict) = Ending::of::<M>(outcome, cx) else {
            return;
        };
        let ticket = pass.ticket;
        std::mem::forget(pass);
        self.0.complete_at(
            ticket,
            verdict,
            #[inline(always)]
            || cx.done_tick(),
        );
    }
}

impl Drop for Pass<'_, '_> {
    #[cold]
    fn drop(&mut self) {
        let now = || self.cx.clock().ticks();
        self.policy.abandon_at(self.ticket, &now);
    }
}

impl<E> From<Refused> for Error<E> {
    #[cold]
    fn from(refused: Refused) -> Self {
        let retry_after = refused.retry_after();
        Self::CircuitOpen { retry_after }
    }
}
