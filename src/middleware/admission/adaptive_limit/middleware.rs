//! [`AdaptiveLimitMiddleware`]: the adapter.

use super::{AdaptiveLimitPolicy, InFlight, Priority};
use crate::context::{Context, Limit};
use crate::message::Message;
use crate::outcome::{Ending, ErrorKind, Verdict};
use crate::outcome::{Error, Outcome, TimeLimit};
use crate::pipeline::{Entry, Middleware, through_entry};
use crate::sync::PlainArc;

/// What [`AdaptiveLimit`](super::AdaptiveLimit) makes for a route.
#[derive(Debug)]
pub struct AdaptiveLimitMiddleware {
    policy: PlainArc<AdaptiveLimitPolicy>,
}

impl AdaptiveLimitMiddleware {
    pub(super) fn new(policy: PlainArc<AdaptiveLimitPolicy>) -> Self {
        Self { policy }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Middleware<M> for AdaptiveLimitMiddleware {
    through_entry!(this => Door(&this.policy));
}

/// A gate whose pass borrows: a [`Gate`](crate::Gate)'s would have to count a reference, which is two
/// more locked instructions a dispatch.
#[derive(Clone, Copy)]
struct Door<'p>(&'p AdaptiveLimitPolicy);

/// Dropped, it was abandoned by its caller, or a layer further out ended it.
struct Pass<'p, 'c> {
    in_flight: Option<InFlight<'p>>,
    cx: &'c Context<'c>,
    /// The tick at which a layer further out ends it. Taken on the way in: that layer limits the time only of what
    /// runs inside it.
    limit: u64,
}

impl<'p, 'c, M: Message> Entry<'c, M> for Door<'p> {
    type Pass = Pass<'p, 'c>;

    #[inline]
    fn enter(&self, _msg: &M, cx: &'c Context<'c>) -> Result<Self::Pass, Error<M::Error>> {
        let priority = cx.get::<Priority>().copied().unwrap_or_default();
        match self.0.try_acquire_at(priority, cx.entry_tick()) {
            Ok(in_flight) => Ok(Pass {
                in_flight: Some(in_flight),
                cx,
                limit: cx.limit().get(),
            }),
            Err(limit) => Err(overloaded(limit)),
        }
    }

    #[inline]
    fn leave(&self, mut pass: Self::Pass, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        let Ending::Judged(verdict) = Ending::of::<M>(outcome, cx) else {
            return;
        };
        let Some(in_flight) = pass.in_flight.take() else {
            return;
        };
        match verdict {
            Verdict::Success => in_flight.answered_at(cx.done_tick()),
            Verdict::Failure if is_overload::<M>(outcome) => {
                in_flight.overloaded_at(cx.done_tick())
            }
            Verdict::Failure | Verdict::Neutral => {}
        }
    }
}

impl Drop for Pass<'_, '_> {
    #[inline]
    fn drop(&mut self) {
        if let Some(in_flight) = self.in_flight.take() {
            self.cut_short(in_flight);
        }
    }
}

impl Pass<'_, '_> {
    #[cold]
    fn cut_short(&self, in_flight: InFlight<'_>) {
        let now = self.cx.clock().ticks();
        let owner = Limit::owner(self.limit, self.cx.deadline_tick());
        if now >= self.limit && owner == TimeLimit::Layer {
            in_flight.overloaded_at(now);
        } else {
            in_flight.abandoned_at(now);
        }
    }
}

#[cold]
fn overloaded<E>(limit: u64) -> Error<E> {
    let limit = limit as usize;
    Error::Overloaded { limit }
}

/// Returns whether a failure is that of a backend that has too much to do.
#[cold]
fn is_overload<M: Message>(outcome: &Outcome<M>) -> bool {
    let kind = outcome.as_ref().err().map(ErrorKind::of::<M>);
    matches!(kind, Some(ErrorKind::Timeout | ErrorKind::Transient))
}
