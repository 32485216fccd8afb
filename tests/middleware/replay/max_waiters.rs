//! The number of waiters for a run, which is unbounded unless a layer sets a limit.

use arcbus::middleware::{Cache, Coalesce, Idempotency};
use arcbus::{
    CommandBus, Context, Error, Layer, LayerExt, Layers, Outcome, QueryBus, RegistrationError,
    from_async_fn,
};

use crate::cache_support::{Act, Failed, Get, SECOND, Sent, Store, each_lane, get, run_of};
use crate::hostile::within_time;
use crate::replay::idempotency::pay::{HOUR, Run, Shop};

fn overloaded<R, E>(outcome: &Result<R, Error<E>>, limit: usize) -> bool {
    matches!(outcome, Err(Error::Overloaded { limit: told }) if *told == limit)
}

/// Returns the outcome of a further waiter, in each lane.
fn one_more(bus: &QueryBus) -> [Outcome<Get>; 2] {
    let mut sent = Sent::new(bus, "a", Context::new());
    [
        bus.execute_blocking(get("a")),
        sent.poll().expect("it does not wait"),
    ]
}

fn no_more_wait(layer: impl Layer<Get>) {
    let store = Store::new();
    store.set("a", Act::Wait);
    let bus = store.bus(store.builder().layer(layer));
    let mut leader = Sent::pending(&bus, "a");
    let (mut second, third) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    for outcome in one_more(&bus) {
        assert!(overloaded(&outcome, 2), "{outcome:?}");
    }
    // Another key has its own run.
    store.set("b", Act::Reply);
    assert_eq!(run_of(bus.execute_blocking(get("b"))), 2);
    // One waiter leaves, which makes room for another.
    drop(third);
    let mut fourth = Sent::pending(&bus, "a");
    assert!(overloaded(&bus.execute_blocking(get("a")), 2));
    store.set("a", Act::Reply);
    for sent in [&mut leader, &mut second, &mut fourth] {
        assert_eq!(run_of(sent.woken()), 1);
    }
}

#[test]
fn a_waiter_above_the_limit_is_refused_in_both_lanes() {
    within_time(|| {
        no_more_wait(Cache::ttl(SECOND).max_waiters(2));
        no_more_wait(Cache::ttl(SECOND).max_waiters(2).vary_by::<u8>());
        no_more_wait(Cache::ttl(SECOND).cache_errors(SECOND).max_waiters(2));
        no_more_wait(Cache::ttl(SECOND).max_waiters(2).clone().shared());
        no_more_wait(Coalesce::new().max_waiters(2));
        no_more_wait(Coalesce::new().max_waiters(2).clone().vary_by::<u8>());
    });
}

#[test]
fn a_waiter_named_as_leader_no_longer_counts() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let bus = store.bus(store.builder().layer(Coalesce::new().max_waiters(1)));
    let leader = Sent::pending(&bus, "a");
    let mut second = Sent::pending(&bus, "a");
    drop(leader);
    let mut third = Sent::pending(&bus, "a");
    assert_eq!(second.poll(), None);
    store.set("a", Act::Reply);
    assert_eq!((run_of(second.woken()), run_of(third.woken())), (1, 1));
}

#[test]
fn refused_waiters_are_counted() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let cache = Cache::ttl(SECOND).max_waiters(1);
    let handle = cache.handle::<Get>();
    let bus = store.bus(store.builder().layer(cache));
    let _both = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    for outcome in one_more(&bus) {
        assert!(overloaded(&outcome, 1));
    }
    let stats = handle.stats();
    assert_eq!(
        (stats.misses, stats.loads, stats.waits, stats.refused),
        (4, 1, 1, 2)
    );
}

#[test]
fn a_caller_served_a_stale_reply_is_not_refused() {
    let store = Store::new();
    let cache = Cache::ttl(SECOND)
        .jitter(0.0)
        .stale_while_revalidate(SECOND);
    let bus = store.bus(store.builder().layer(cache.max_waiters(1)));
    assert_eq!(run_of(bus.execute_blocking(get("a"))), 1);
    store.set("a", Act::Wait);
    store.clock.advance(SECOND);
    let _leader = Sent::pending(&bus, "a");
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
}

/// The handler asks for its own key, in the context of its run.
#[test]
fn a_deadlock_is_reported_before_a_full_queue() {
    async fn asks_itself(_: Get, cx: &Context<'_>) -> Result<(u32, std::sync::Arc<str>), Failed> {
        let bus = cx.get::<QueryBus>().expect("given").clone();
        let _waits = Sent::pending(&bus, "a");
        let error = bus
            .execute_blocking_in(cx, get("a"))
            .expect_err("its own key");
        assert!(matches!(error, Error::WouldDeadlock { .. }), "{error:?}");
        Ok((7, "a".into()))
    }
    let bus = QueryBus::builder()
        .scope(|s| {
            s.layer(Coalesce::new().max_waiters(1))
                .register(from_async_fn(asks_itself))
        })
        .build()
        .expect("in range");
    let cx = Context::new().with(bus.clone());
    assert_eq!(run_of(bus.execute_blocking_with(get("a"), cx)), 7);
}

#[test]
fn a_duplicate_above_the_limit_is_refused_in_both_lanes() {
    within_time(|| {
        let shop = Shop::with(Idempotency::in_memory(HOUR).max_waiters(1));
        let token = arcbus::CancelToken::new();
        shop.payments.script([Run::after(&token, Run::Answer)]);
        let (mut first, mut second) = (shop.pending("a", 5), shop.pending("a", 5));
        for outcome in shop.pays("a", 5) {
            assert!(overloaded(&outcome, 1), "{outcome:?}");
        }
        token.cancel();
        assert_eq!((first.poll(), second.poll()), (Some(Ok(1)), Some(Ok(1))));
        assert_eq!(shop.pays("a", 5), [Ok(1), Ok(1)]);
    });
}

#[test]
fn a_limit_of_zero_waiters_is_refused() {
    fn field<B>(built: Result<B, RegistrationError>) -> &'static str {
        match built {
            Err(RegistrationError::InvalidSetting(invalid)) => invalid.field(),
            _ => "none",
        }
    }
    let store = Store::new();
    let build = |max| {
        store
            .builder()
            .layer(Cache::ttl(SECOND).max_waiters(max))
            .register(store.clone())
            .build()
    };
    assert_eq!(
        (field(build(0)), field(build(1)), field(build(usize::MAX))),
        ("Cache.max_waiters", "none", "none")
    );
    let build = |max| {
        store
            .builder()
            .layer(Coalesce::new().max_waiters(max))
            .register(store.clone())
            .build()
    };
    assert_eq!(
        (field(build(0)), field(build(1))),
        ("Coalesce.max_waiters", "none")
    );
    let payments = Shop::new().payments;
    let build = |max| {
        CommandBus::builder()
            .layer(Idempotency::in_memory(HOUR).max_waiters(max))
            .register(payments.clone())
            .build()
    };
    assert_eq!(
        (field(build(0)), field(build(1))),
        ("Idempotency.max_waiters", "none")
    );
}

#[test]
fn explain_knows_the_bound_on_waiters() {
    let errors =
        |layers: arcbus::Explanation| layers.errors().contains(&arcbus::ErrorKind::Overloaded);
    let cache = || Cache::ttl(SECOND);
    assert!(!errors(Layers::new().layer(cache()).explain::<Get>()));
    assert!(errors(
        Layers::new().layer(cache().max_waiters(5)).explain::<Get>()
    ));
    assert!(!errors(
        Layers::new().layer(Coalesce::new()).explain::<Get>()
    ));
    let bounded = Layers::new()
        .layer(Coalesce::new().max_waiters(5))
        .explain::<Get>();
    assert!(
        bounded.to_string().contains("up to 5 wait for a run"),
        "{bounded}"
    );
    assert!(errors(bounded));
}
