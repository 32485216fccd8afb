//! [`HedgeMiddleware`]: the adapter.

use super::HedgePolicy;
use super::race::Race;
use crate::context::Context;
use crate::message::{Message, Query};
use crate::outcome::Outcome;
use crate::pipeline::{Middleware, Next};
use crate::sync::PlainArc;

/// What [`Hedge`](super::Hedge) makes for a route.
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
    /// Begins the first attempt at once. Copies the message only where it can be hedged.
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
            // Counted on from that of a retry further out: no two runs at once have the same.
            let own = cx.beside(cx.attempt() + attempt - 1);
            let outcome = next.run(msg, &own).await;
            if outcome.is_ok() {
                // It has won: whatever the others said of their replies.
                cx.answered_by(own.source());
            }
            outcome
        };
        Race::begin(first, kept, again, &self.policy, cx)
    }
}
