//! [`CacheMiddleware`]: the adapter.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::Cacheable;
use super::chain::{ITSELF, Load, is_inside};
use super::keep::Keep;
use super::policy::Kept;
use super::route::{CacheRoute, Leader, Plan, Waiter};
use super::stats::Count;
use super::vary::Vary;
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::singleflight::{Arrival, arrival};
use crate::outcome::{Error, ErrorKind, Outcome, Phase};
use crate::pipeline::{Blocked, Middleware, Next, block_on};
use crate::sync::PlainArc;

/// What a [`Cache`](super::Cache) or a [`Coalesce`](crate::middleware::Coalesce) makes for a route.
pub struct CacheMiddleware<M: Cacheable, V: Vary, K: Keep<M>> {
    route: PlainArc<CacheRoute<M, V, K>>,
}

impl<M: Cacheable, V: Vary, K: Keep<M>> CacheMiddleware<M, V, K> {
    pub(super) fn new(route: PlainArc<CacheRoute<M, V, K>>) -> Self {
        Self { route }
    }

    #[inline(always)]
    fn hit(&self, msg: &M, cx: &Context<'_>) -> Option<K::Value> {
        let value = self.route.hit(msg, cx)?;
        cx.answered_by(Source::Cache);
        Some(value)
    }

    /// What is left to do after a look that found nothing.
    fn plan(&self, msg: &M, cx: &Context<'_>) -> Plan<'_, M, V, K> {
        let plan = self.route.plan(msg, cx);
        self.route.tally.count(match &plan {
            Plan::Give(_, Source::Stale) => Count::Stale,
            Plan::Give(..) => Count::Hit,
            Plan::Lead(..) | Plan::Wait(_) | Plan::Refuse(_) => Count::Miss,
        });
        plan
    }

    async fn missed(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
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

    /// What is told where no more may wait for the flight of this number.
    fn refusal(&self, number: u64, cx: &Context<'_>) -> Error<M::Error> {
        if is_inside(number, cx) {
            return Error::WouldDeadlock { advice: ITSELF };
        }
        self.route.tally.count(Count::Refused);
        let limit = self.route.max_waiters();
        Error::Overloaded { limit }
    }

    /// A leader, if that is what it has come to.
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
                let source = match landing.source {
                    Source::Handler => Source::Coalesced,
                    other => other,
                };
                drop(landing);
                Err(given::<M, K>(kept, source, cx))
            }
            Err(interrupt) => Err(Err(interrupt.into_error(Phase::NotStarted))),
        }
    }

    async fn lead(
        &self,
        leader: Leader<'_, M, V, K>,
        spare: Option<PlainArc<Kept<K::Value>>>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        let load = self.begin(&leader, cx);
        let outcome = next.run(msg, &load.cx).await;
        drop(load);
        self.end(leader, spare, outcome, cx)
    }

    fn begin<'c>(&self, leader: &Leader<'_, M, V, K>, cx: &'c Context<'_>) -> Load<'c> {
        self.route.tally.count(Count::Load);
        cx.answered_by(Source::Handler);
        Load::new(leader.number(), cx)
    }

    /// The reply is kept and given to all, the spare one given in its place, or the next one named.
    fn end(
        &self,
        leader: Leader<'_, M, V, K>,
        spare: Option<PlainArc<Kept<K::Value>>>,
        outcome: Outcome<M>,
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
        // An error that came when the caller had gone may be its doing: the next one asks anew.
        let is_hasty = outcome.is_err() && cx.has_lost_its_caller();
        if let Some(value) = K::keep(&outcome).filter(|_| !is_hasty) {
            self.route.land(leader, value, cx.source(), cx.done_tick());
        }
        outcome
    }

    #[cold]
    fn block_missed(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        match self.plan(&msg, cx) {
            Plan::Give(kept, source) => Ok(given::<M, K>(kept, source, cx)),
            Plan::Lead(leader, spare) => {
                let load = self.begin(&leader, cx);
                let outcome = next.block(msg, &load.cx)?;
                drop(load);
                Ok(self.end(leader, spare, outcome, cx))
            }
            Plan::Wait(waiter) => block_on::<M>(self.wait_or_lead(waiter, msg, cx, next), cx),
            Plan::Refuse(number) => Ok(Err(self.refusal(number, cx))),
        }
    }

    async fn wait_or_lead(
        &self,
        waiter: Waiter<'_, M, V, K>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        match self.wait(waiter, cx).await {
            Ok(leader) => self.lead(leader, None, msg, cx, next).await,
            Err(outcome) => outcome,
        }
    }
}

/// A reply that the handler did not give in this dispatch, which is done.
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
impl<M: Cacheable, V: Vary, K: Keep<M>> Middleware<M> for CacheMiddleware<M, V, K> {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let given = self.hit(&msg, cx);
        let rest = match given {
            Some(_) => None,
            None => Some(self.missed(msg, cx, next)),
        };
        CacheFuture::<M, K, _> { given, rest }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        match self.hit(&msg, cx) {
            Some(value) => Ok(K::give(value)),
            None => self.block_missed(msg, cx, next),
        }
    }
}

impl<M: Cacheable, V: Vary, K: Keep<M>> fmt::Debug for CacheMiddleware<M, V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("CacheMiddleware").field(&self.route).finish()
    }
}

pin_project! {
    // Not an enum, for the reason given at the future of a gate.
    struct CacheFuture<M: Message, K: Keep<M>, F> {
        given: Option<K::Value>,
        #[pin]
        rest: Option<F>,
    }
}

impl<M, K, F> Future for CacheFuture<M, K, F>
where
    M: Message,
    K: Keep<M>,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let this = self.project();
        match this.rest.as_pin_mut() {
            Some(rest) => poll_rest(rest, task),
            None => Poll::Ready(K::give(this.given.take().expect("polled after completion"))),
        }
    }
}

#[cold]
fn poll_rest<F: Future>(rest: Pin<&mut F>, task: &mut task::Context<'_>) -> Poll<F::Output> {
    rest.poll(task)
}
