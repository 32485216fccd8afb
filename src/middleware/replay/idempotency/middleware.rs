//! [`IdempotencyAnswer`]: the middleware that runs a key once.

use std::convert::Infallible;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::time::Duration;

use super::refused::{conflict, no_store, without_key};
use super::{
    Begin, Claim, Fingerprint, IdempotencyCounts, IdempotencyKey, Progress, Record, Store,
};
use crate::bounds::CommandKind;
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::singleflight::{Arrival, Flights, Joined, Leader, Stay, arrival};
use crate::outcome::{Error, Outcome, Phase};
use crate::pipeline::{Answer, Extract, Look, Next};
use crate::sync::PlainArc;

/// Runs a command once for each key, and is made by an [`Idempotency`](super::Idempotency) for each route.
pub struct IdempotencyAnswer<M: Message, S, K> {
    pub(super) keys: PlainArc<Keys<M, S>>,
    pub(super) source: PlainArc<K>,
    pub(super) require_key: bool,
}

/// The keys of one message type: those in flight, and the records of all. The type parameter is the message
/// rather than its reply alone, because the layer finds its kept state by this type.
pub(super) struct Keys<M: Message, S> {
    flights: Flights<Payload, M::Reply, Infallible>,
    store: S,
    window: Duration,
    counts: PlainArc<IdempotencyCounts>,
}

/// A key with the fingerprint of the message sent with that key. Each pair has a flight of its own, so a
/// caller with another payload does not wait for the first. Such a caller goes to the store and finds the
/// conflict.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Payload {
    key: IdempotencyKey,
    fingerprint: Fingerprint,
}

type Leads<'k, R> = Leader<'k, Payload, R, Infallible>;

impl<M: Message, S> Keys<M, S> {
    pub(super) fn new(
        store: S,
        window: Duration,
        max_waiters: usize,
        counts: PlainArc<IdempotencyCounts>,
    ) -> Self {
        Self {
            flights: Flights::new(max_waiters),
            store,
            window,
            counts,
        }
    }

    fn join(&self, payload: &Payload) -> Joined<'_, Payload, M::Reply, Infallible> {
        match self
            .flights
            .join(payload, Stay::default(), || None::<Infallible>)
        {
            Ok(joined) => joined,
            Err(never) => match never {},
        }
    }
}

impl<M, S, K> IdempotencyAnswer<M, S, K>
where
    M: Message<Kind: CommandKind, Reply: Clone + Sync> + Hash,
    S: Store<M>,
    K: Extract<M, Option<IdempotencyKey>>,
{
    /// Returns the key and fingerprint, or `Ok(None)` if the message is not protected.
    #[inline]
    fn payload(&self, msg: &M, cx: &Context<'_>) -> Result<Option<Payload>, Error<M::Error>> {
        match self.source.extract(msg, cx) {
            Some(key) if !key.is_blank() => Ok(Some(Payload {
                key,
                fingerprint: Fingerprint::of(msg),
            })),
            none if self.require_key => Err(without_key::<M>(none)),
            Some(_blank) => {
                self.keys.counts.add_blank_key();
                Ok(None)
            }
            None => Ok(None),
        }
    }

    async fn begin(
        &self,
        payload: &Payload,
        cx: &Context<'_>,
    ) -> Result<Begun<M, S>, Error<M::Error>> {
        let claim = Claim {
            message: M::NAME,
            key: &payload.key,
            fingerprint: payload.fingerprint,
            window: self.keys.window,
            now: Duration::from_nanos(cx.entry_tick()),
        };
        match self.keys.store.begin(claim).await {
            Ok(Begin::Run(begun)) => Ok(Begun::Run(begun)),
            Ok(Begin::Known(record)) => of_record::<M>(record, payload).map(Begun::Done),
            Ok(Begin::Full { limit }) => Err(Error::Overloaded { limit }),
            Err(error) => Err(no_store::<M>(&error)),
        }
    }

    /// Runs the inner service, whose handler's future is dropped before the leader is.
    async fn run(
        &self,
        begun: S::Begun,
        leader: Leads<'_, M::Reply>,
        rest: impl Future<Output = Outcome<M>> + Send,
    ) -> Outcome<M> {
        let store = &self.keys.store;
        match rest.await {
            Ok(reply) => {
                // If this fails, the record stays begun, but the reply is still true.
                let _ = store.finish(begun, &reply).await;
                leader.land(|_| (), || reply.clone());
                Ok(reply)
            }
            Err(error) => {
                if !error.may_have_acted::<M>() {
                    let _ = store.forget(begun).await;
                }
                drop(leader);
                Err(error)
            }
        }
    }
}

enum Begun<M: Message, S: Store<M>> {
    Run(S::Begun),
    Done(M::Reply),
}

/// Returns the reply in the record of a key to a caller that sent `payload`.
fn of_record<M: Message>(
    record: Record<M::Reply>,
    payload: &Payload,
) -> Result<M::Reply, Error<M::Error>> {
    if record.fingerprint != payload.fingerprint {
        return Err(conflict::<M>(&payload.key));
    }
    match record.progress {
        Progress::Done(reply) => Ok(reply),
        Progress::Begun => Err(Error::InDoubt),
    }
}

fn replay<R>(reply: R, cx: &Context<'_>) -> R {
    cx.handler_done();
    cx.answered_by(Source::Replay);
    reply
}

#[diagnostic::do_not_recommend]
impl<M, S, K> Answer<M> for IdempotencyAnswer<M, S, K>
where
    M: Message<Kind: CommandKind, Reply: Clone + Sync> + Hash,
    S: Store<M>,
    K: Extract<M, Option<IdempotencyKey>>,
{
    type Found = Error<M::Error>;
    type Ticket = Payload;

    #[inline]
    fn look(&self, msg: &M, cx: &Context<'_>) -> Look<Error<M::Error>, Payload> {
        match self.payload(msg, cx) {
            Ok(None) => Look::Pass,
            Ok(Some(payload)) => Look::Missed(payload),
            Err(error) => Look::Found(error),
        }
    }

    fn give(error: Error<M::Error>) -> Outcome<M> {
        Err(error)
    }

    async fn answer(
        &self,
        payload: Payload,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        // Held until the run is over and its record is written. If dropped before, the next waiter finds a
        // key that has begun, and is in doubt.
        let leader = match self.keys.join(&payload) {
            Joined::Leader(leader) => leader,
            Joined::Waiter(waiter) => match arrival(waiter, cx).await {
                Ok(Arrival::Leads(leader)) => leader,
                Ok(Arrival::Landed(reply)) => return Ok(replay((*reply).clone(), cx)),
                Err(interrupt) => return Err(interrupt.into_error(Phase::NotStarted)),
            },
            Joined::Full(_) => {
                let limit = self.keys.flights.max_waiters();
                return Err(Error::Overloaded { limit });
            }
        };
        match self.begin(&payload, cx).await? {
            Begun::Run(begun) => self.run(begun, leader, next.run(msg, cx)).await,
            Begun::Done(reply) => {
                leader.land(|_| (), || reply.clone());
                Ok(replay(reply, cx))
            }
        }
    }
}

impl<M: Message, S, K> fmt::Debug for IdempotencyAnswer<M, S, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IdempotencyAnswer")
            .field("message", &M::NAME)
            .field("window", &self.keys.window)
            .finish_non_exhaustive()
    }
}
