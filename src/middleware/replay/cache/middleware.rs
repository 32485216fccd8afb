//! [`CacheAnswer`]: answers with kept replies, or with the reply of another dispatch.

use std::fmt;

use super::Cacheable;
use super::chain::{ITSELF, Load, is_inside};
use super::keep::Keep;
use super::policy::Kept;
use super::route::{CacheRoute, Leader, Plan, Waiter};
use super::run::{Run, finish};
use super::stats::Count;
use super::vary::Vary;
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::singleflight::{Arrival, arrival};
use crate::outcome::{Error, ErrorKind, Outcome, Phase};
use crate::pipeline::{Answer, Lease, Look, Next};
use crate::sync::PlainArc;

/// Gives a kept reply, or waits for the reply of another dispatch. Made by a [`Cache`](super::Cache) or a
/// [`Coalesce`](crate::middleware::Coalesce) for a route.
pub struct CacheAnswer<M: Cacheable, V: Vary, K: Keep<M>> {
    route: PlainArc<CacheRoute<M, V, K>>,
}

impl<M: Cacheable, V: Vary, K: Keep<M>> CacheAnswer<M, V, K> {
    pub(super) fn new(route: PlainArc<CacheRoute<M, V, K>>) -> Self {
        Self { route }
    }

    /// Joins the run of a key, or begins one, for a message without a kept reply.
    fn plan(&self, msg: &M, cx: &Context<'_>) -> Plan<'_, M, V, K> {
        let plan = self.route.plan(msg, cx);
        self.route.tally.count(match &plan {
            Plan::Give(_, Source::Stale) => Count::Stale,
            Plan::Give(..) => Count::Hit,
            Plan::Lead(..) | Plan::Wait(_) | Plan::Refuse(_) => Count::Miss,
        });
        plan
    }

    /// Returns the error of a message that may not wait for the flight of this number.
    fn refusal(&self, number: u64, cx: &Context<'_>) -> Error<M::Error> {
        if is_inside(number, cx) {
            return Error::WouldDeadlock { advice: ITSELF };
        }
        self.route.tally.count(Count::Refused);
        let limit = self.route.max_waiters();
        Error::Overloaded { limit }
    }

    /// Waits for the run of another dispatch. Returns a leader if this dispatch is to lead instead.
    async fn wait<'f>(
        &'f self,
        waiter: Waiter<'f, M, V, K>,
        cx: &Context<'_>,
    ) -> Result<Leader<'f, M, V, K>, Outcome<M>> {
        if is_inside(waiter.number(), cx) {
            return Err(Err(Error::WouldDeadlock { advice: ITSELF }));
        }
        self.route.tally.count(Count::Wait);
        match arrival(waiter, cx).await {
            Ok(Arrival::Leads(leader)) => Ok(leader),
            Ok(Arrival::Landed(landing)) => {
                let kept = PlainArc::clone(&landing.kept);
                let source = landing.source.passed_on();
                drop(landing);
                Err(given::<M, K>(kept, source, cx))
            }
            Err(interrupt) => Err(Err(interrupt.into_error(Phase::NotStarted))),
        }
    }

    async fn lead(
        &self,
        mut leader: Leader<'_, M, V, K>,
        spare: Option<PlainArc<Kept<K::Value>>>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        let takes_over = leader.has_run();
        if !takes_over {
            self.route.tally.count(Count::Load);
            let Some(lease) = Lease::of(next) else {
                return self.lead_alone(leader, spare, msg, cx, next).await;
            };
            let run_cx = cx.detach_run(leader.latest());
            let number = leader.number();
            leader.keep_run(Run::new(lease, msg, number, run_cx));
        }
        let (outcome, source) = finish(&mut leader).await;
        cx.answered_by(match takes_over {
            true => source.passed_on(),
            false => source,
        });
        self.end(leader, spare, outcome, source, cx)
    }

    /// Leads on a bus that owns no route. The load belongs to this dispatch, and ends with it.
    async fn lead_alone(
        &self,
        leader: Leader<'_, M, V, K>,
        spare: Option<PlainArc<Kept<K::Value>>>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        cx.answered_by(Source::Handler);
        let load = Load::new(leader.number(), cx.derive());
        let outcome = next.run(msg, &load.cx).await;
        drop(load);
        self.end(leader, spare, outcome, cx.source(), cx)
    }

    /// Ends a load. An outcome that is kept goes to all waiters. After any other error, the caller gets the
    /// spare reply or the error, and the next waiter leads.
    fn end(
        &self,
        leader: Leader<'_, M, V, K>,
        spare: Option<PlainArc<Kept<K::Value>>>,
        outcome: Outcome<M>,
        source: Source,
        cx: &Context<'_>,
    ) -> Outcome<M> {
        cx.handler_done();
        if let (Err(error), Some(spare)) = (&outcome, spare)
            && ErrorKind::of::<M>(error).is_replaced()
        {
            drop(leader);
            self.route.tally.count(Count::Stale);
            return given::<M, K>(spare, Source::Stale, cx);
        }
        // The caller may have caused an error that came after it had gone, so the next waiter asks anew.
        let is_hasty = outcome.is_err() && cx.has_lost_its_caller();
        if let Some(value) = K::keep(&outcome).filter(|_| !is_hasty) {
            self.route.land(leader, value, source, cx.done_tick());
        }
        outcome
    }
}

/// Gives a reply that the handler did not make in this dispatch, and ends the dispatch.
fn given<M: Message, K: Keep<M>>(
    kept: PlainArc<Kept<K::Value>>,
    source: Source,
    cx: &Context<'_>,
) -> Outcome<M> {
    cx.handler_done();
    cx.answered_by(source);
    K::give(Kept::give(kept))
}

#[diagnostic::do_not_recommend]
impl<M: Cacheable, V: Vary, K: Keep<M>> Answer<M> for CacheAnswer<M, V, K> {
    type Found = K::Value;
    type Ticket = ();

    #[inline(always)]
    fn look(&self, msg: &M, cx: &Context<'_>) -> Look<K::Value, ()> {
        match self.route.hit(msg, cx) {
            Some(value) => {
                cx.answered_by(Source::Cache);
                Look::Found(value)
            }
            None => Look::Missed(()),
        }
    }

    #[inline(always)]
    fn give(value: K::Value) -> Outcome<M> {
        K::give(value)
    }

    async fn answer(&self, (): (), msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        let (leader, spare) = match self.plan(&msg, cx) {
            Plan::Give(kept, source) => return given::<M, K>(kept, source, cx),
            Plan::Lead(leader, spare) => (leader, spare),
            Plan::Wait(waiter) => match self.wait(waiter, cx).await {
                Ok(leader) => (leader, None),
                Err(outcome) => return outcome,
            },
            Plan::Refuse(number) => return Err(self.refusal(number, cx)),
        };
        self.lead(leader, spare, msg, cx, next).await
    }
}

impl<M: Cacheable, V: Vary, K: Keep<M>> fmt::Debug for CacheAnswer<M, V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheAnswer").field(&self.route).finish()
    }
}
