//! Cases with a single layer that repeats or remembers, and their peers.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ahash::RandomState;
use arcbus::middleware::{Cache, Fallback, Hedge, Idempotency, Retry};
use arcbus::{
    BusBuilder, CommandBus, Context, Handler, Kind, Message, Query, QueryBus, Route, Same, Stack,
};
use tower::{Layer, service_fn};
use tower_resilience::cache::CacheLayer;
use tower_resilience::retry::RetryLayer;

use crate::LATER;
use crate::cases::rounds::Cases;
use crate::cases::{Adder, Pair, Refused, answered, pair};
use crate::messages::{ById, ByName, Charge, NAME, Store};
use crate::peers::add as add_service;

/// Returns every case of the group `repeat`.
#[must_use]
pub fn repeat() -> Cases<'static> {
    let mut cases = Cases::default();
    our_repeats(&mut cases);
    our_caches(&mut cases);
    idempotency(&mut cases);
    libraries(&mut cases);
    tower(&mut cases);
    cases
}

/// Returns the route of `M` on the bus of `builder`.
pub(crate) fn route<M, K, S>(builder: BusBuilder<K, S>, handler: impl Handler<M>) -> Route<M>
where
    M: Message<Kind: Same<K>>,
    K: Kind,
    S: Stack<M>,
{
    let bus = builder.register::<M, _>(handler).build();
    let bus = bus.expect("one handler, sound settings");
    bus.route::<M>().expect("registered")
}

fn add<S: Stack<Pair>>(cases: &mut Cases<'_>, name: &'static str, builder: BusBuilder<Query, S>) {
    let mut route = route(builder, Adder(7));
    cases.add(name, move || answered(route.execute_blocking(pair())));
}

fn our_repeats(cases: &mut Cases<'_>) {
    let bus = QueryBus::builder;
    let clock = quanta::Clock::new();
    add(cases, "none", bus());
    cases.add("clock_read", move || {
        black_box(clock.delta_as_nanos(0, clock.raw()))
    });
    let retry = Retry::exponential(3, Duration::from_millis(50));
    add(cases, "retry", bus().layer(retry));
    add(cases, "hedge", bus().layer(Hedge::after(LATER)));
    add(cases, "fallback", bus().layer(Fallback::value(7_u64)));
}

fn our_caches(cases: &mut Cases<'_>) {
    let cached = || QueryBus::builder().layer(Cache::ttl(LATER));
    let mut by_id = route(cached(), Store);
    cases.add("cache_hit", move || {
        answered(by_id.execute_blocking(black_box(ById(7))))
    });
    let mut by_name = route(cached(), Store);
    cases.add("cache_hit_string", move || {
        answered(by_name.execute_blocking(black_box(ByName(NAME))))
    });
    let mut by_id = route(cached(), Store);
    let mut id = 0;
    cases.add("cache_miss", move || {
        id += 1;
        answered(by_id.execute_blocking(black_box(ById(id))))
    });
}

/// Adds a case in which every dispatch has a key of its own, and each key is kept for a
/// millisecond.
fn idempotency(cases: &mut Cases<'_>) {
    let layer = Idempotency::in_memory(Duration::from_millis(1))
        .capacity(1 << 20)
        .key(|charge: &Charge, _: &Context<'_>| Some(charge.id.to_string().into()));
    let mut route = route(CommandBus::builder().layer(layer), Store);
    let mut id = 0;
    cases.add("idempotency_first", move || {
        id += 1;
        answered(route.execute_blocking(black_box(Charge { id, cents: 100 })))
    });
}

/// Adds caches that need no bus around them.
fn libraries(cases: &mut Cases<'_>) {
    let by_id = raw::<u64, u64>();
    by_id.insert(7, 14);
    cases.add("raw_quick_cache", move || by_id.get(black_box(&7)));
    let by_name = raw::<String, Arc<str>>();
    by_name.insert(NAME.into(), NAME.into());
    cases.add("raw_quick_cache_string", move || {
        by_name.get(black_box(NAME))
    });
    let moka = moka::sync::Cache::builder()
        .max_capacity(10_000)
        .time_to_live(LATER)
        .build();
    moka.insert(7_u64, 14_u64);
    cases.add("peer_moka", move || moka.get(black_box(&7)));
}

pub(crate) fn raw<K: std::hash::Hash + Eq, V: Clone>()
-> quick_cache::sync::Cache<K, V, quick_cache::UnitWeighter, RandomState> {
    quick_cache::sync::Cache::with(
        10_000,
        10_000,
        quick_cache::UnitWeighter,
        RandomState::new(),
        quick_cache::sync::DefaultLifecycle::default(),
    )
}

fn tower(cases: &mut Cases<'_>) {
    let adds = async |msg: Pair| Adder(7).add(msg);
    add_service(cases, "peer_tower_noop", service_fn(adds));
    let retry = RetryLayer::<Pair, u64, Refused>::builder()
        .max_attempts(3)
        .exponential_backoff(Duration::from_millis(50))
        .build();
    add_service(
        cases,
        "peer_tower_resilience_retry",
        retry.layer(service_fn(adds)),
    );
    let cache = CacheLayer::builder()
        .max_size(10_000)
        .ttl(LATER)
        .key_extractor(|msg: &Pair| msg.0)
        .build()
        .expect("sound settings");
    add_service(
        cases,
        "peer_tower_resilience_cache",
        cache.layer(service_fn(adds)),
    );
}
