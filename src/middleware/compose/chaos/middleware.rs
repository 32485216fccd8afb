//! [`ChaosMiddleware`]: the middleware that [`Chaos`](super::Chaos) makes.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use super::layer::MakeError;
use super::{ChaosPolicy, Fault};
use crate::clock::nanos;
use crate::context::Context;
use crate::message::Message;
use crate::outcome::panicked;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Middleware, Next};
use crate::sync::PlainArc;

/// A middleware that injects faults, made by a [`Chaos`](super::Chaos) layer.
pub struct ChaosMiddleware<F> {
    pub(super) policy: PlainArc<ChaosPolicy>,
    latency: Duration,
    error: F,
}

impl<F> ChaosMiddleware<F> {
    pub(super) fn new(policy: PlainArc<ChaosPolicy>, latency: Duration, error: F) -> Self {
        Self {
            policy,
            latency,
            error,
        }
    }

    async fn delay(&self, cx: &Context<'_>) {
        let until = cx.waited().saturating_add(nanos(self.latency));
        cx.clock().sleep_until(until).await;
        cx.waited();
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message, F: MakeError<M>> Middleware<M> for ChaosMiddleware<F> {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        if self.policy.draw_delay() {
            self.delay(cx).await;
        }
        match self.policy.draw_fault() {
            None => next.run(msg, cx).await,
            Some(Fault::Failure) => Err(self.error.error()),
            Some(Fault::Panic) => Err(panic_caught()),
        }
    }
}

#[cold]
fn panic_caught<E>() -> Error<E> {
    match catch_unwind(AssertUnwindSafe(|| panic!("chaos, on purpose"))) {
        Ok(()) => unreachable!("it panics"),
        Err(payload) => panicked(payload),
    }
}

impl<F> fmt::Debug for ChaosMiddleware<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("ChaosMiddleware")
            .field(&self.policy)
            .finish()
    }
}
