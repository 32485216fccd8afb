//! [`AdaptiveLimitGate`]: the adaptive limit in front of a handler.

use super::{AdaptiveLimitPolicy, InFlight, Priority};
use crate::context::{Context, Limit};
use crate::message::Message;
use crate::outcome::{Ending, ErrorKind, Verdict};
use crate::outcome::{Error, Outcome, TimeLimit};
use crate::pipeline::Gate;
use crate::sync::PlainArc;

/// Takes a permit of an [`AdaptiveLimitPolicy`] for each message, or refuses the message. Reports the
/// outcome of each admitted message to the policy. Made by [`AdaptiveLimit`](super::AdaptiveLimit).
#[derive(Debug)]
pub struct AdaptiveLimitGate {
    pub(super) policy: PlainArc<AdaptiveLimitPolicy>,
}

impl AdaptiveLimitGate {
    pub(super) fn new(policy: PlainArc<AdaptiveLimitPolicy>) -> Self {
        Self { policy }
    }
}

/// The permit of a dispatch under an [`AdaptiveLimit`](super::AdaptiveLimit).
#[derive(Debug)]
pub struct AdaptiveLimitPass<'a> {
    in_flight: InFlight<'a>,
    /// The tick at which a layer further out ends the dispatch. The tick is read on the way in, because
    /// that layer limits the time of its own inner service only.
    limit: u64,
}

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for AdaptiveLimitGate {
    type Pass<'a> = AdaptiveLimitPass<'a>;

    #[inline]
    fn enter<'a>(
        &'a self,
        _msg: &M,
        cx: &Context<'_>,
    ) -> Result<AdaptiveLimitPass<'a>, Error<M::Error>> {
        let priority = cx.get::<Priority>().copied().unwrap_or_default();
        match self.policy.try_acquire_at(priority, cx.entry_tick()) {
            Ok(in_flight) => Ok(AdaptiveLimitPass {
                in_flight,
                limit: cx.limit().get(),
            }),
            Err(limit) => Err(overloaded(limit)),
        }
    }

    #[inline]
    fn leave<'a>(&'a self, pass: AdaptiveLimitPass<'a>, outcome: &Outcome<M>, cx: &Context<'_>) {
        match Ending::of::<M>(outcome, cx) {
            Ending::Judged(Verdict::Success) => pass.in_flight.answered_at(cx.done_tick()),
            Ending::Judged(Verdict::Failure) if is_overload::<M>(outcome) => {
                pass.in_flight.overloaded_at(cx.done_tick());
            }
            Ending::Judged(Verdict::Failure | Verdict::Neutral) => drop(pass),
            Ending::Abandoned => pass.cut_short(cx),
        }
    }

    fn abandon<'a>(&'a self, pass: AdaptiveLimitPass<'a>, cx: &Context<'_>) {
        pass.cut_short(cx);
    }
}

impl AdaptiveLimitPass<'_> {
    /// Reports that the caller abandoned the dispatch, or that a layer further out ended the dispatch.
    #[cold]
    fn cut_short(self, cx: &Context<'_>) {
        let now = cx.clock().ticks();
        let owner = Limit::owner(self.limit, cx.deadline_tick());
        if now >= self.limit && owner == TimeLimit::Layer {
            self.in_flight.overloaded_at(now);
        } else {
            self.in_flight.abandoned_at(now);
        }
    }
}

#[cold]
fn overloaded<E>(limit: u64) -> Error<E> {
    let limit = limit as usize;
    Error::Overloaded { limit }
}

/// Returns true if the failure shows that the backend is overloaded.
#[cold]
fn is_overload<M: Message>(outcome: &Outcome<M>) -> bool {
    let kind = outcome.as_ref().err().map(ErrorKind::of::<M>);
    matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Transient))
}
