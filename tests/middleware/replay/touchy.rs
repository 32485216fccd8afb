//! Keys, replies and predicates that use their own layer while the layer uses them. No lock of the
//! library may be held then.

use std::cell::Cell;
use std::hash::Hash;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arcbus::middleware::cache::CacheHandle;
use arcbus::middleware::idempotency::{Begin, Claim, IdempotencyKey, MemoryStore, Run, Store};
use arcbus::middleware::{Cache, Cacheable, Coalesce, Idempotency};
use arcbus::{Command, CommandBus, Context, FakeClock, Layer, Message, Query, QueryBus, from_fn};

use crate::acts::ready;
use crate::hostile::{Touchy, calm, on_touch, within_time};

const SECOND: Duration = Duration::from_secs(1);

/// A query whose key and reply run the action when they are cloned and dropped.
struct Ask(Touchy);

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    type Reply = Touchy;
    type Error = Failed;
}

/// An error whose clone and drop run the action, too.
#[derive(Clone, Debug)]
struct Failed(#[expect(dead_code, reason = "cloned and dropped")] Touchy);

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("failed")
    }
}

impl Cacheable for Ask {
    type Key = Touchy;
    fn key(&self) -> &Touchy {
        &self.0
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Tenant(Touchy);

/// Builds a bus whose handler fails for an odd number.
fn bus<L: Layer<Ask>>(layer: L, clock: &FakeClock) -> QueryBus {
    let answer = |msg: Ask, _: &Context<'_>| match msg.0.0 % 2 {
        0 => Ok(Touchy(msg.0.0)),
        _ => Err(Failed(Touchy(msg.0.0))),
    };
    let builder = QueryBus::builder().clock(clock.clone());
    builder
        .scope(|s| s.layer(layer).register(from_fn(answer)))
        .build()
        .expect("in range")
}

fn cx() -> Context<'static> {
    Context::new().with(Tenant(Touchy(0)))
}

/// Asks for these keys in both lanes.
fn ask(bus: &QueryBus, keys: std::ops::Range<u32>) {
    for key in keys {
        let _ = bus.execute_blocking_with(Ask(Touchy(key)), cx());
        let _ = ready(bus.execute_with(Ask(Touchy(key)), cx()));
    }
}

/// Calls every method of a cache. The keys are not in use by other callers, because the call would
/// wait for itself.
fn use_all(bus: &QueryBus, handle: &CacheHandle<Ask>) {
    ask(bus, 1000..1004);
    handle.invalidate(&Touchy(0));
    handle.invalidate_if(|key| key.0 == 1002);
    let _ = handle.stats();
    handle.invalidate_all();
    ask(bus, 1000..1004);
}

/// Fills, hits, evicts, expires and invalidates, while each clone and drop uses the cache as well.
fn check<L: Layer<Ask>>(layer: L, handle: CacheHandle<Ask>) {
    let clock = FakeClock::new();
    let bus = bus(layer, &clock);
    let (again, handle_again) = (bus.clone(), handle.clone());
    on_touch(move || use_all(&again, &handle_again));
    ask(&bus, 0..3);
    ask(&bus, 0..3);
    // These are more keys than the cache has room for.
    ask(&bus, 0..100);
    clock.advance(SECOND * 90);
    ask(&bus, 0..3);
    handle.invalidate(&Touchy(0));
    handle.invalidate_if(|key| key.0 > 50);
    handle.invalidate_all();
    drop(bus);
    assert!(calm() > 100);
}

fn cache() -> Cache {
    Cache::ttl(SECOND * 60)
        .capacity(32)
        .stale_while_revalidate(SECOND * 60)
}

#[test]
fn keys_and_replies_may_use_their_own_cache() {
    within_time(|| {
        let cache = cache();
        let handle = cache.handle::<Ask>();
        check(cache, handle);
    });
}

#[test]
fn errors_may_use_their_own_cache() {
    within_time(|| {
        let cache = cache().cache_errors(SECOND);
        let handle = cache.handle::<Ask>();
        check(cache, handle);
    });
}

#[test]
fn values_that_vary_a_key_may_use_the_cache() {
    within_time(|| {
        let cache = cache().vary_by::<Tenant>();
        let handle = cache.handle::<Ask>();
        check(cache, handle);
    });
}

#[test]
fn keys_and_replies_may_use_their_own_coalescing_layer() {
    within_time(|| {
        let coalesce = Coalesce::new();
        let handle = coalesce.handle::<Ask>();
        check(coalesce, handle);
    });
}

#[test]
fn a_predicate_may_use_its_own_cache() {
    within_time(|| {
        let clock = FakeClock::new();
        let cache = cache();
        let handle = cache.handle::<Ask>();
        let bus = bus(cache, &clock);
        ask(&bus, 0..4);
        let judged = Arc::new(AtomicU32::new(0));
        handle.invalidate_if(|key| {
            judged.fetch_add(1, Ordering::Relaxed);
            ask(&bus, 0..4);
            handle.invalidate_if(|other| other == key);
            handle.invalidate(key);
            handle.invalidate_all();
            ask(&bus, 0..1);
            key.0 == 2
        });
        assert_eq!(judged.load(Ordering::Relaxed), 2);
        assert_eq!(handle.stats().entries, 1, "what it asked for last");
    });
}

#[derive(Clone, Hash)]
struct Pay(u32);

impl Message for Pay {
    const NAME: &'static str = "pay";
    type Kind = Command;
    type Reply = Touchy;
    type Error = Failed;
}

/// Builds a shop whose handler fails for an odd number.
fn shop<L: Layer<Pay>>(layer: L, clock: &FakeClock) -> CommandBus {
    let answer = |msg: Pay, _: &Context<'_>| match msg.0 % 2 {
        0 => Ok(Touchy(msg.0)),
        _ => Err(Failed(Touchy(msg.0))),
    };
    let builder = CommandBus::builder().clock(clock.clone());
    let bus = builder.layer(layer).register(from_fn(answer)).build();
    bus.expect("in range")
}

/// Pays in both lanes, with a key for each number.
fn pay(bus: &CommandBus, numbers: std::ops::Range<u32>) {
    for number in numbers {
        let cx = || Context::new().with(IdempotencyKey::new(number.to_string()));
        let _ = bus.execute_blocking_with(Pay(number), cx());
        let _ = ready(bus.execute_with(Pay(number), cx()));
    }
}

#[test]
fn replies_may_use_their_idempotency_keys() {
    within_time(|| {
        let clock = FakeClock::new();
        let bus = shop(Idempotency::in_memory(SECOND).capacity(64), &clock);
        let again = bus.clone();
        on_touch(move || pay(&again, 1000..1004));
        pay(&bus, 0..100);
        clock.advance(SECOND);
        pay(&bus, 0..100);
        drop(bus);
        assert!(calm() > 100);
    });
}

/// A store that pays with other keys at each of its operations.
struct Busy {
    keys: MemoryStore<Touchy>,
    bus: Arc<OnceLock<CommandBus>>,
}

thread_local! {
    static ASKED: Cell<u32> = const { Cell::new(0) };
}

impl Busy {
    fn act(&self) {
        let asked = ASKED.replace(ASKED.get() + 1);
        // These payments reach the store in turn.
        if asked.is_multiple_of(10)
            && let Some(bus) = self.bus.get()
        {
            pay(bus, 1000 + asked..1002 + asked);
        }
    }
}

impl Store<Pay> for Busy {
    type Begun = Run;
    type Error = String;

    async fn begin(&self, claim: Claim<'_>) -> Result<Begin<Run, Touchy>, String> {
        self.act();
        let (key, fingerprint) = (claim.key(), claim.fingerprint());
        match self.keys.begin(key, fingerprint, claim.now()) {
            Begin::Run(run) => Ok(Begin::Run(run)),
            Begin::Full { limit } => Ok(Begin::Full { limit }),
            Begin::Known(_) => Err("known".into()),
        }
    }

    async fn finish(&self, run: Run, reply: &Touchy) -> Result<(), String> {
        self.act();
        self.keys.finish(run, reply.clone());
        Ok(())
    }

    async fn forget(&self, run: Run) -> Result<(), String> {
        self.act();
        self.keys.forget(run);
        Ok(())
    }
}

#[test]
fn a_store_may_use_its_own_bus() {
    within_time(|| {
        let clock = FakeClock::new();
        let of_the_store = Arc::new(OnceLock::new());
        let store = Busy {
            keys: MemoryStore::new(SECOND, 10_000).expect("in range"),
            bus: Arc::clone(&of_the_store),
        };
        let bus = shop(Idempotency::in_store(store, SECOND), &clock);
        assert!(of_the_store.set(bus.clone()).is_ok());
        pay(&bus, 0..100);
        assert!(ASKED.get() > 200);
    });
}
