//! [`CacheRoute`]: the kept values and the running loads of one route.

use std::borrow::Borrow;
use std::convert::Infallible;
use std::fmt;

use super::chain::is_nested;
use super::handle::Holds;
use super::keep::Keep;
use super::key::{IdOf, IdRef};
use super::policy::{Found, Kept, Shelf};
use super::run::{Run, is_polling};
use super::stats::{Count, Tally};
use super::vary::Vary;
use super::{CacheStats, Cacheable};
use crate::context::{Context, Source};
use crate::middleware::singleflight::{self, Flights, Joined, Stay};
use crate::sync::PlainArc;

/// A reply, or an error that is kept, for the waiters, with its source.
pub(super) struct Landing<T> {
    pub(super) kept: PlainArc<Kept<T>>,
    pub(super) source: Source,
}

type Shared<M, V> = PlainArc<IdOf<M, V>>;
type Value<M, K> = <K as Keep<M>>::Value;
type Loads<M, V, K> = Flights<Shared<M, V>, Landing<Value<M, K>>, Run<M>>;
pub(super) type Leader<'f, M, V, K> =
    singleflight::Leader<'f, Shared<M, V>, Landing<Value<M, K>>, Run<M>>;
pub(super) type Waiter<'f, M, V, K> =
    singleflight::Waiter<'f, Shared<M, V>, Landing<Value<M, K>>, Run<M>>;

/// The kept values and the running loads of one route.
pub(super) struct CacheRoute<M: Cacheable, V: Vary, K: Keep<M>> {
    /// The kept values, or `None` on a route that only lets dispatches wait.
    shelf: Option<Shelf<IdOf<M, V>, Value<M, K>>>,
    flights: Loads<M, V, K>,
    pub(super) tally: Tally,
}

/// The next step of a dispatch that was not answered at once.
pub(super) enum Plan<'f, M: Cacheable, V: Vary, K: Keep<M>> {
    Give(PlainArc<Kept<Value<M, K>>>, Source),
    /// The dispatch runs the inner service. The second field is the reply that is given if the run fails.
    Lead(Leader<'f, M, V, K>, Option<PlainArc<Kept<Value<M, K>>>>),
    Wait(Waiter<'f, M, V, K>),
    /// The flight of this number has no room for another waiter.
    Refuse(u64),
}

impl<M: Cacheable, V: Vary, K: Keep<M>> CacheRoute<M, V, K> {
    pub(super) fn new(shelf: Option<Shelf<IdOf<M, V>, Value<M, K>>>, max_waiters: usize) -> Self {
        Self {
            shelf,
            flights: Flights::new(max_waiters),
            tally: Tally::new(),
        }
    }

    /// Returns the fresh value for a message, if one is kept.
    #[inline(always)]
    pub(super) fn hit(&self, msg: &M, cx: &Context<'_>) -> Option<Value<M, K>> {
        let id = IdRef::of::<M, V>(msg, cx);
        let value = self.shelf.as_ref()?.fresh(&id, || cx.entry_tick())?;
        self.tally.count(Count::Hit);
        Some(value)
    }

    /// Joins the flight, and then looks once more. A leader thus finds every value that landed before.
    pub(super) fn plan(&self, msg: &M, cx: &Context<'_>) -> Plan<'_, M, V, K> {
        let id = PlainArc::new(IdRef::of::<M, V>(msg, cx).to_id());
        let stay = Stay::of(cx, is_polling() || is_nested(cx));
        let Ok(joined) = self.flights.join(&id, stay, || None::<Infallible>);
        match (joined, self.find(&id, cx)) {
            (Joined::Leader(leader), Found::Fresh(kept)) => {
                let source = Source::Cache;
                let landing = || Landing {
                    kept: PlainArc::clone(&kept),
                    source,
                };
                leader.land(|_| (), landing);
                Plan::Give(kept, source)
            }
            (Joined::Leader(leader), Found::Stale(kept)) => Plan::Lead(leader, Some(kept)),
            (Joined::Leader(leader), Found::Nothing) => Plan::Lead(leader, None),
            (_, Found::Fresh(kept)) => Plan::Give(kept, Source::Cache),
            (_, Found::Stale(kept)) => Plan::Give(kept, Source::Stale),
            (Joined::Waiter(waiter), Found::Nothing) => Plan::Wait(waiter),
            (Joined::Full(number), Found::Nothing) => Plan::Refuse(number),
        }
    }

    pub(super) fn max_waiters(&self) -> usize {
        self.flights.max_waiters()
    }

    fn find(&self, id: &Shared<M, V>, cx: &Context<'_>) -> Found<Value<M, K>> {
        let shelf = self.shelf.as_ref();
        shelf.map_or(Found::Nothing, |shelf| {
            shelf.find(id, cx.entry_tick(), || cx.clock().ticks())
        })
    }

    /// Gives a value to the waiters, and keeps the value unless the key was invalidated meanwhile or a
    /// substitute gave it. The code under a lock shares key and value, and drops neither.
    pub(super) fn land(
        &self,
        leader: Leader<'_, M, V, K>,
        value: Value<M, K>,
        source: Source,
        now: u64,
    ) {
        let id = PlainArc::clone(leader.key());
        let is_own = !matches!(source, Source::Fallback | Source::Stale);
        let shelf = self.shelf.as_ref().filter(|_| is_own);
        let is_reply = K::is_reply(&value);
        let kept = PlainArc::new(match shelf {
            Some(shelf) => shelf.timed(value, is_reply, now),
            None => Kept::passed_on(value),
        });
        let publish = |_: &_| Some(shelf?.put(PlainArc::clone(&id), PlainArc::clone(&kept)));
        let landing = || Landing {
            kept: PlainArc::clone(&kept),
            source,
        };
        if let Some(removed) = leader.land(publish, landing).flatten() {
            self.tally.add(Count::Eviction, removed.others_than(&id));
        }
    }

    /// Detaches the flight first, under whose lock its value would be kept. A value that lands later is not
    /// kept.
    fn remove(&self, id: &Shared<M, V>) {
        let off = || self.shelf.as_ref().map(|shelf| shelf.remove(id));
        drop(self.flights.detach(id, off));
    }

    /// Removes the running loads first, so that a value that lands meanwhile is found on the shelf.
    fn remove_if(&self, which: &mut dyn FnMut(&M::Key) -> bool) {
        let mut remove = |id: &Shared<M, V>| {
            if which(id.key.borrow()) {
                self.remove(id);
            }
        };
        self.flights.keys().iter().for_each(&mut remove);
        let kept = self.shelf.iter().flat_map(Shelf::ids);
        kept.for_each(|id| remove(&id));
    }
}

impl<M: Cacheable, V: Vary, K: Keep<M>> Holds<M> for CacheRoute<M, V, K> {
    fn invalidate(&self, key: &M::Key) {
        if V::VARIES {
            self.remove_if(&mut |other| other == key);
        } else {
            self.remove(&PlainArc::new(IdRef::alone(key).to_id()));
        }
    }

    fn invalidate_if(&self, which: &mut dyn FnMut(&M::Key) -> bool) {
        self.remove_if(which);
    }

    fn invalidate_all(&self) {
        self.flights.detach_all();
        self.shelf.iter().for_each(Shelf::clear);
    }

    fn stats(&self) -> CacheStats {
        let entries = self.shelf.as_ref().map_or(0, Shelf::len);
        self.tally.stats(entries)
    }
}

impl<M: Cacheable, V: Vary, K: Keep<M>> fmt::Debug for CacheRoute<M, V, K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("CacheRoute")
            .field("shelf", &self.shelf)
            .field("stats", &self.stats())
            .finish_non_exhaustive()
    }
}
