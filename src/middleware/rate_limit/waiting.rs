//! [`WaitingRateLimitMiddleware`]: the adapter of a limit that makes messages wait.

use std::time::Duration;

use super::RateLimitPolicy;
use super::gate::refused;
use super::policy::Reservation;
use crate::context::Context;
use crate::error::Outcome;
use crate::message::Message;
use crate::pipeline::{Either, Middleware, Next};
use crate::sync::PlainArc;

/// What [`WaitingRateLimit`](super::WaitingRateLimit) makes.
#[derive(Debug)]
pub struct WaitingRateLimitMiddleware {
    policy: PlainArc<RateLimitPolicy>,
    /// In nanoseconds.
    patience: u64,
}

impl WaitingRateLimitMiddleware {
    pub(super) fn new(policy: PlainArc<RateLimitPolicy>, patience: Duration) -> Self {
        let patience = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        Self { policy, patience }
    }

    /// How long the message would wait: never beyond its deadline.
    fn patience(&self, now: u64, cx: &Context<'_>) -> u64 {
        match cx.expiry() {
            None => self.patience,
            Some(expiry) => self.patience.min(expiry.saturating_sub(now)),
        }
    }
}

impl<M: Message> Middleware<M> for WaitingRateLimitMiddleware {
    /// A message whose token is there goes on without an `async` level around it.
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let now = cx.entry_tick();
        match self.policy.reserve_at(1, now, self.patience(now, cx)) {
            Ok(token) if token.at <= now => Either::on(next.run(msg, cx)),
            reserved => Either::off(async move {
                let mut turn = Turn {
                    policy: &self.policy,
                    token: Some(reserved.map_err(refused)?),
                    cx,
                };
                turn.wait().await;
                next.run(msg, cx).await
            }),
        }
    }
}

/// A reserved token, given back if this is dropped before its time has come.
struct Turn<'a> {
    policy: &'a RateLimitPolicy,
    token: Option<Reservation>,
    cx: &'a Context<'a>,
}

impl Turn<'_> {
    async fn wait(&mut self) {
        if let Some(token) = self.token {
            self.cx.clock().sleep_until(token.at).await;
            self.cx.waited();
        }
        self.token = None;
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if let Some(token) = self.token.take()
            && self.cx.clock().ticks() < token.at
        {
            self.policy.refund(token);
        }
    }
}
