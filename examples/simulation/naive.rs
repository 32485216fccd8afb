//! [`NaiveRetry`]: a retry that makes an overload last.

use arcbus::{Context, Message, Middleware, Next, Outcome};

/// Runs the inner service again after any error, up to a number of attempts, without a pause or a
/// budget.
#[derive(Debug)]
pub(crate) struct NaiveRetry {
    pub(crate) attempts: u32,
}

impl<M: Message + Clone> Middleware<M> for NaiveRetry {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        for _ in 1..self.attempts {
            if let Ok(reply) = next.run(msg.clone(), cx).await {
                return Ok(reply);
            }
        }
        next.run(msg, cx).await
    }
}
