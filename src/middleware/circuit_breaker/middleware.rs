//! [`CircuitBreakerGate`]: the breaker around a handler.

use std::fmt;

use super::policy::{CircuitBreakerPolicy, Refused, Ticket};
use crate::context::Context;
use crate::error::{Error, Outcome};
use crate::message::Message;
use crate::pipeline::Gate;
use crate::sync::PlainArc;
use crate::verdict::Verdict;

/// Asks a [`CircuitBreakerPolicy`] before the handler and tells it how the handler did. Made by
/// [`CircuitBreaker`](super::CircuitBreaker).
#[derive(Debug)]
pub struct CircuitBreakerGate {
    policy: PlainArc<CircuitBreakerPolicy>,
}

impl CircuitBreakerGate {
    pub(super) fn new(policy: PlainArc<CircuitBreakerPolicy>) -> Self {
        Self { policy }
    }
}

impl<M: Message> Gate<M> for CircuitBreakerGate {
    type Pass = Pass;

    #[inline]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<Pass, Error<M::Error>> {
        match self.policy.admit_at(|| cx.entry_tick()) {
            Ok(ticket) => Ok(Pass::new(ticket, &self.policy)),
            Err(refused) => Err(refused.into()),
        }
    }

    #[inline]
    fn leave(&self, pass: Pass, outcome: &Outcome<M>, cx: &Context<'_>) {
        let verdict = Verdict::of::<M>(outcome);
        self.policy
            .complete_at(pass.into_ticket(), verdict, || cx.done_tick());
    }
}

/// Held while the handler runs. Only a probe has anything to give back.
pub struct Pass {
    ticket: Ticket,
    probe_of: Option<PlainArc<CircuitBreakerPolicy>>,
}

impl Pass {
    #[inline]
    fn new(ticket: Ticket, policy: &PlainArc<CircuitBreakerPolicy>) -> Self {
        let probe_of = ticket.is_probe().then(|| PlainArc::clone(policy));
        Self { ticket, probe_of }
    }

    #[inline]
    fn into_ticket(mut self) -> Ticket {
        self.probe_of = None;
        self.ticket
    }
}

impl Drop for Pass {
    #[inline]
    fn drop(&mut self) {
        if let Some(policy) = self.probe_of.take() {
            policy.give_back(self.ticket);
        }
    }
}

impl fmt::Debug for Pass {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pass")
            .field("is_probe", &self.ticket.is_probe())
            .finish_non_exhaustive()
    }
}

impl<E> From<Refused> for Error<E> {
    fn from(refused: Refused) -> Self {
        let retry_after = refused.retry_after();
        Self::CircuitOpen { retry_after }
    }
}
