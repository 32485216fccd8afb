//! [`FallbackMiddleware`]: the adapter.

use std::fmt;

use super::choice::Choice;
use super::falling::Falling;
use super::substitute::{Substitute, caught};
use crate::context::{Context, Source};
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Blocked, Middleware, Next};
use crate::sync::PlainArc;

/// What [`Fallback`](super::Fallback) makes.
pub struct FallbackMiddleware<S, P> {
    pub(super) substitute: PlainArc<S>,
    pub(super) when: PlainArc<P>,
}

impl<S, P> FallbackMiddleware<S, P> {
    /// The error if it is to be replaced; as an error if not.
    #[cold]
    fn choose<M>(&self, error: Error<M::Error>) -> Result<Error<M::Error>, Error<M::Error>>
    where
        M: Message,
        S: Substitute<M>,
        P: Choice<M>,
    {
        match caught(|| self.when.replaces(&error, S::RUNS_AGAIN))? {
            true => Ok(error),
            false => Err(error),
        }
    }

    #[cold]
    fn block_instead<M>(
        &self,
        kept: S::Kept,
        error: Error<M::Error>,
        cx: &Context<'_>,
    ) -> Blocked<M>
    where
        M: Message,
        S: Substitute<M>,
        P: Choice<M>,
    {
        let error = match self.choose(error) {
            Ok(error) => error,
            Err(error) => return Ok(Err(error)),
        };
        let outcome = self.substitute.block(kept, error, cx)?;
        Ok(told::<M>(outcome, cx))
    }
}

/// Says of a reply where it comes from.
pub(super) fn told<M: Message>(outcome: Outcome<M>, cx: &Context<'_>) -> Outcome<M> {
    if outcome.is_ok() {
        cx.answered_by(Source::Fallback);
    }
    outcome
}

#[diagnostic::do_not_recommend]
impl<M, S, P> Middleware<M> for FallbackMiddleware<S, P>
where
    M: Message,
    S: Substitute<M>,
    P: Choice<M>,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let kept = S::keep(&msg);
        let rest = next.run(msg, cx);
        Falling::<M, _, _, _, _>::begin(rest, kept, cx, |kept, error| {
            let error = self.choose(error)?;
            Ok(self.substitute.run(kept, error, cx))
        })
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        let kept = S::keep(&msg);
        match next.block(msg, cx)? {
            Ok(reply) => Ok(Ok(reply)),
            Err(error) => self.block_instead(kept, error, cx),
        }
    }
}

impl<S, P> fmt::Debug for FallbackMiddleware<S, P> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("FallbackMiddleware")
    }
}
