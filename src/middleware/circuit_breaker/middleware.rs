//! [`CircuitBreakerGate`]: the breaker around a handler.

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

    #[cold]
    #[inline(never)]
    fn enter_unless_closed(&self, cx: &Context<'_>) -> Result<Pass, Refused> {
        let ticket = self.policy.admit_unless_closed(&|| cx.entry_tick())?;
        let probe = ticket.is_probe().then(|| {
            let policy = PlainArc::clone(&self.policy);
            Box::new(Probe { ticket, policy })
        });
        Ok(Pass { ticket, probe })
    }
}

impl<M: Message> Gate<M> for CircuitBreakerGate {
    type Pass = Pass;

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<Pass, Error<M::Error>> {
        match self.policy.admit_if_closed(|| cx.entry_tick()) {
            Some(ticket) => Ok(Pass {
                ticket,
                probe: None,
            }),
            None => Ok(self.enter_unless_closed(cx)?),
        }
    }

    #[inline(always)]
    fn leave(&self, pass: Pass, outcome: &Outcome<M>, cx: &Context<'_>) {
        let verdict = Verdict::of::<M>(outcome);
        match pass.probe {
            None => self
                .policy
                .complete_at(pass.ticket, verdict, || cx.done_tick()),
            Some(probe) => probe.complete(verdict, cx),
        }
    }
}

/// Held while the handler runs. Only a probe has anything to give back.
#[derive(Debug)]
pub struct Pass {
    ticket: Ticket,
    /// One word, so that the compiler moves a pass word by word: one that was written so and is read as
    /// a whole would have to be waited for. Probes are few.
    probe: Option<Box<Probe>>,
}

/// Gives the probe back when it is dropped.
#[derive(Debug)]
struct Probe {
    ticket: Ticket,
    policy: PlainArc<CircuitBreakerPolicy>,
}

impl Probe {
    #[cold]
    #[inline(never)]
    #[expect(clippy::boxed_local, reason = "it is handed over in one word")]
    fn complete(mut self: Box<Self>, verdict: Verdict, cx: &Context<'_>) {
        let ticket = std::mem::replace(&mut self.ticket, Ticket::UNCOUNTED);
        self.policy.complete_at(ticket, verdict, || cx.done_tick());
    }
}

impl Drop for Probe {
    fn drop(&mut self) {
        self.policy.give_back(self.ticket);
    }
}

impl<E> From<Refused> for Error<E> {
    fn from(refused: Refused) -> Self {
        let retry_after = refused.retry_after();
        Self::CircuitOpen { retry_after }
    }
}
