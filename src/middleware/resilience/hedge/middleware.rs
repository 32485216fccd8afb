//! [`HedgeMiddleware`]: the adapter between the policy and the pipeline.

use super::HedgePolicy;
use super::race::Race;
use crate::context::Context;
use crate::message::{Message, Query};
use crate::outcome::Outcome;
use crate::pipeline::{Middleware, Next};
use crate::sync::PlainArc;

/// The middleware that [`Hedge`](super::Hedge) creates for each route.
#[derive(Debug)]
pub struct HedgeMiddleware {
    pub(super) policy: PlainArc<HedgePolicy>,
}

impl HedgeMiddleware {
    pub(super) fn new(policy: PlainArc<HedgePolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message<Kind = Query> + Clone> Middleware<M> for HedgeMiddleware {
    /// Begins the first attempt at once. Copies the message only if it can be hedged.
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let kept = self.policy.delay_nanos().map(|_| msg.clone());
        let first = next.run(msg, cx);
        let again = move |attempt, msg| async move {
            // Continue the number of a retry further out: concurrent runs never share a number.
            let own = cx.beside(cx.attempt() + attempt - 1);
            let outcome = next.run(msg, &own).await;
            if outcome.is_ok() {
                // This hedge has won, so its source replaces any source that other attempts have set.
                cx.answered_by(own.source());
            }
            outcome
        };
        Race::begin(first, kept, again, &self.policy, cx)
    }
}
