//! [`FallbackRecovery`]: replaces an error with a reply.

use super::substitute::{Substitute, caught};
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::ErrorPredicate;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Next, Recover};
use crate::sync::PlainArc;

/// The middleware that replaces an error with a reply, created by [`Fallback`](super::Fallback).
pub struct FallbackRecovery<S, P> {
    pub(super) substitute: PlainArc<S>,
    pub(super) when: PlainArc<P>,
}

#[diagnostic::do_not_recommend]
impl<M, S, P> Recover<M> for FallbackRecovery<S, P>
where
    M: Message,
    S: Substitute<M>,
    P: ErrorPredicate<M>,
{
    type Kept = S::Kept;
    /// The decision to replace the error, or the panic of the predicate, which becomes the outcome.
    type Plan<'a> = Result<(), Error<M::Error>>;

    #[inline(always)]
    fn keep(&self, msg: &M) -> S::Kept {
        S::keep(msg)
    }

    #[cold]
    fn plan(&self, error: &Error<M::Error>, _cx: &Context<'_>) -> Option<Self::Plan<'_>> {
        let chosen = caught(|| self.when.matches(error));
        chosen.map(|chosen| chosen.then_some(())).transpose()
    }

    async fn recover(
        &self,
        plan: Result<(), Error<M::Error>>,
        kept: S::Kept,
        error: Error<M::Error>,
        cx: &Context<'_>,
        _next: &impl Next<M>,
    ) -> Outcome<M> {
        plan?;
        let reply = self.substitute.run(kept, error, cx).await?;
        cx.answered_by(Source::Fallback);
        Ok(reply)
    }
}

debug_name!([S, P] FallbackRecovery<S, P>, "FallbackRecovery");
