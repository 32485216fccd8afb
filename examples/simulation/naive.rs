//! [`NaiveRetry`]: how not to do it.

use arcbus::{Context, Message, Middleware, Next, Outcome};

/// Runs the rest again at once whatever the error, up to so many times in all: no pause, no budget.
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
