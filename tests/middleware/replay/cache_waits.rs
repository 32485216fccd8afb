//! A single run for each key while many callers wait, and the end of each wait.

use std::sync::{Arc, Barrier};
use std::thread;

use arcbus::middleware::cache::CacheHandle;
use arcbus::middleware::{Cache, Timeout};
use arcbus::{
    CancelToken, Context, Error, Handler, Message, Phase, Query, QueryBus, Source, TimeLimit,
    from_async_fn,
};

use crate::cache_support::{
    Act, Failed, Get, SECOND, Sent, Sources, Store, each_lane, get, ready, run_of,
};

fn cached(store: &Store) -> (QueryBus, CacheHandle<Get>, Sources) {
    let (cache, sources) = (Cache::ttl(SECOND * 60), Sources::default());
    let handle = cache.handle::<Get>();
    let bus = store.bus(store.builder().wrap(sources.layer()).layer(cache));
    (bus, handle, sources)
}

fn until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

#[test]
fn a_hundred_waiters_get_the_reply_of_a_single_load() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, handle, sources) = cached(&store);
    let mut sent: Vec<_> = (0..100).map(|_| Sent::pending(&bus, "a")).collect();
    assert_eq!((store.runs(), handle.stats().waits), (1, 99));
    store.set("a", Act::Reply);
    let first = sent.remove(0).woken();
    assert_eq!(run_of(first), 1);
    for mut waiter in sent {
        assert_eq!(run_of(waiter.woken()), 1);
    }
    let stats = handle.stats();
    assert_eq!((stats.loads, stats.misses, stats.hits), (1, 100, 0));
    let coalesced = vec![Source::Coalesced; 99];
    assert_eq!(sources.take(), [vec![Source::Handler], coalesced].concat());
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
}

#[test]
fn a_stampede_of_threads_makes_a_single_load() {
    for _ in 0..20 {
        let store = Store::new();
        store.set("a", Act::Wait);
        let (bus, handle, _) = cached(&store);
        let barrier = Arc::new(Barrier::new(8));
        let threads: Vec<_> = (0..8)
            .map(|_| {
                let (bus, barrier) = (bus.clone(), Arc::clone(&barrier));
                thread::spawn(move || {
                    barrier.wait();
                    run_of(bus.execute_blocking(get("a")))
                })
            })
            .collect();
        until(|| handle.stats().waits == 7);
        store.set("a", Act::Reply);
        for thread in threads {
            assert_eq!(thread.join().expect("no panic"), 1);
        }
        assert_eq!((store.runs(), handle.stats().loads), (1, 1));
    }
}

#[test]
fn the_longest_waiter_becomes_leader_when_the_leader_is_dropped() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, _, _) = cached(&store);
    let first = Sent::pending(&bus, "a");
    let (mut second, mut third) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    drop(first);
    assert_eq!(
        (store.under_way(), second.wakes(), third.wakes()),
        (1, 1, 0)
    );
    assert_eq!(second.poll(), None);
    assert_eq!((store.under_way(), store.runs()), (1, 1));
    store.set("a", Act::Reply);
    assert_eq!((run_of(second.woken()), run_of(third.woken())), (1, 1));
}

#[test]
fn a_waiter_dropped_as_new_leader_names_the_next() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, _, _) = cached(&store);
    let first = Sent::pending(&bus, "a");
    let (second, mut third) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    drop(first);
    drop(second);
    store.set("a", Act::Reply);
    assert_eq!(run_of(third.woken()), 1);
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
}

#[test]
fn a_dropped_waiter_leaves_nothing_behind() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, _, _) = cached(&store);
    let (first, second) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    drop(second);
    drop(first);
    store.set("a", Act::Reply);
    assert_eq!(each_lane(&bus, "a"), [2, 2]);
}

#[test]
fn after_a_failed_leader_the_next_waiter_runs_its_own_load() {
    for act in [Act::Fail(Failed::Permanent), Act::Panic] {
        let store = Store::new();
        store.set("a", Act::Wait);
        let (bus, handle, _) = cached(&store);
        let mut first = Sent::pending(&bus, "a");
        let (mut second, mut third) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
        store.set("a", act);
        assert!(first.woken().is_err());
        assert_eq!(third.wakes(), 0);
        assert!(second.woken().is_err());
        store.set("a", Act::Reply);
        assert_eq!(run_of(third.woken()), 3);
        assert_eq!((handle.stats().loads, handle.stats().waits), (3, 2));
    }
}

#[test]
fn a_kept_error_is_returned_to_all_waiters() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let cache = Cache::ttl(SECOND).cache_errors(SECOND);
    let bus = store.bus(store.builder().layer(cache));
    let (mut first, mut second) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    store.set("a", Act::Fail(Failed::Permanent));
    let gone = || Err(Error::Handler(Failed::Permanent));
    assert_eq!((first.woken(), second.woken()), (gone(), gone()));
    assert_eq!(store.runs(), 1);
}

#[test]
fn a_wait_ends_with_its_own_deadline() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, handle, _) = cached(&store);
    let mut leader = Sent::pending(&bus, "a");
    let late = || {
        Err(Error::Timeout {
            phase: Phase::NotStarted,
            elapsed: SECOND,
            limit: TimeLimit::Caller,
        })
    };
    let mut waiter = Sent::pending_in(&bus, "a", Context::new().timeout(SECOND));
    store.clock.advance(SECOND);
    assert_eq!(waiter.woken(), late());

    let blocking = bus.clone();
    let waiting = thread::spawn(move || {
        blocking.execute_blocking_with(get("a"), Context::new().timeout(SECOND))
    });
    until(|| handle.stats().waits == 2);
    while !waiting.is_finished() {
        store.clock.advance(SECOND);
        thread::yield_now();
    }
    let error = waiting.join().expect("no panic").unwrap_err();
    assert!(
        matches!(
            error,
            Error::Timeout {
                phase: Phase::NotStarted,
                ..
            }
        ),
        "{error:?}"
    );
    store.set("a", Act::Reply);
    assert_eq!(run_of(leader.woken()), 1);
}

#[test]
fn a_wait_ends_with_its_own_timeout_layer_and_the_leader_goes_on() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let cache = Cache::ttl(SECOND * 60);
    let bus = store.bus(store.builder().layer(Timeout::new(SECOND * 2)).layer(cache));
    let mut leader = Sent::pending(&bus, "a");
    store.clock.advance(SECOND);
    let mut waiter = Sent::pending(&bus, "a");
    store.clock.advance(SECOND);
    let phase = |outcome| match outcome {
        Err(Error::Timeout { phase, .. }) => phase,
        other => panic!("{other:?}"),
    };
    assert_eq!(phase(leader.woken()), Phase::Indeterminate);
    // This waiter has been named as leader, and has a second left.
    assert_eq!(waiter.poll(), None);
    assert_eq!(store.under_way(), 1);
    let mut third = Sent::pending(&bus, "a");
    store.set("a", Act::Reply);
    assert_eq!((run_of(waiter.woken()), run_of(third.woken())), (1, 1));
}

#[test]
fn a_wait_ends_with_its_own_cancellation() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, _, _) = cached(&store);
    let mut leader = Sent::pending(&bus, "a");
    let token = CancelToken::new();
    let mut waiter = Sent::pending_in(&bus, "a", Context::new().cancel_on(token.clone()));
    token.cancel();
    let phase = Phase::NotStarted;
    assert_eq!(waiter.woken(), Err(Error::Cancelled { phase }));
    store.set("a", Act::Reply);
    assert_eq!(run_of(leader.woken()), 1);
}

#[test]
fn a_waiter_named_after_its_deadline_does_not_start_a_load() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let (bus, _, _) = cached(&store);
    let leader = Sent::pending(&bus, "a");
    let mut late = Sent::pending_in(&bus, "a", Context::new().timeout(SECOND));
    let token = CancelToken::new();
    let mut cancelled = Sent::pending_in(&bus, "a", Context::new().cancel_on(token.clone()));
    let mut last = Sent::pending(&bus, "a");
    drop(leader);
    store.clock.advance(SECOND);
    token.cancel();
    let phase = Phase::NotStarted;
    let elapsed = SECOND;
    assert_eq!(
        late.woken(),
        Err(Error::Timeout {
            phase,
            elapsed,
            limit: TimeLimit::Caller
        })
    );
    assert_eq!(cancelled.woken(), Err(Error::Cancelled { phase }));
    assert_eq!(store.runs(), 1);
    store.set("a", Act::Reply);
    assert_eq!(run_of(last.woken()), 1);
}

#[test]
fn a_dispatch_dropped_after_any_number_of_polls_leaves_nothing_behind() {
    let store = Store::new();
    let (bus, handle, _) = cached(&store);
    for leads in [true, false] {
        for polls in 0..4 {
            handle.invalidate_all();
            store.set("a", Act::Wait);
            let leader = (!leads).then(|| Sent::pending(&bus, "a"));
            let mut sent = Sent::new(&bus, "a", Context::new());
            (0..polls).for_each(|_| assert_eq!(sent.poll(), None));
            drop(sent);
            drop(leader);
            assert_eq!(store.under_way(), 0);
            store.set("a", Act::Reply);
            let runs = store.runs();
            assert_eq!(each_lane(&bus, "a"), [runs + 1; 2]);
        }
    }
}

/// A handler that asks its own bus for the running key, or for the other one, in the context of its
/// run.
struct Asks(Arc<std::sync::OnceLock<QueryBus>>, bool);

struct Nested(u32);

impl Message for Nested {
    const NAME: &'static str = "nested";
    type Kind = Query;
    type Reply = String;
    type Error = String;
}

impl arcbus::middleware::Cacheable for Nested {
    type Key = u32;
    fn key(&self) -> &u32 {
        &self.0
    }
}

impl Handler<Nested> for Asks {
    async fn handle(&self, msg: Nested, cx: &Context<'_>) -> Result<String, String> {
        let bus = self.0.get().expect("set");
        let key = match msg.0 {
            // The key is asked for by way of another key.
            0 => 1,
            1 => 0,
            _ => return Ok("reached".into()),
        };
        let asked = if self.1 {
            bus.execute_blocking_in(cx, Nested(key))
        } else {
            bus.execute_in(cx, Nested(key)).await
        };
        asked.map_err(|error| error.to_string())
    }
}

#[test]
fn a_handler_that_asks_for_its_own_key_gets_would_deadlock() {
    for blocking in [true, false] {
        let place = Arc::new(std::sync::OnceLock::new());
        let bus = QueryBus::builder()
            .layer(Cache::ttl(SECOND))
            .register(Asks(Arc::clone(&place), blocking))
            .build()
            .expect("in range");
        place.set(bus.clone()).expect("once");
        for outcome in [
            bus.execute_blocking(Nested(0)),
            ready(bus.execute(Nested(1))),
        ] {
            let error = outcome.unwrap_err().to_string();
            assert!(error.contains("would wait for itself"), "{error}");
        }
        assert_eq!(bus.execute_blocking(Nested(7)), Ok("reached".into()));
    }
}

#[test]
fn a_handler_that_asks_for_its_own_key_from_another_task_gets_would_deadlock() {
    let place = Arc::new(std::sync::OnceLock::<QueryBus>::new());
    let inner = Arc::clone(&place);
    let bus = QueryBus::builder()
        .layer(Cache::ttl(SECOND))
        .register(arcbus::from_detached_fn(
            move |msg: Nested, cx: Context<'static>| {
                let bus = inner.get().expect("set").clone();
                async move {
                    let asked = thread::spawn(move || bus.execute_blocking_in(&cx, msg));
                    let asked = asked.join().expect("no panic");
                    asked.map_err(|error| error.to_string())
                }
            },
        ))
        .build()
        .expect("in range");
    place.set(bus.clone()).expect("once");
    let error = bus.execute_blocking(Nested(0)).unwrap_err().to_string();
    assert!(error.contains("would wait for itself"), "{error}");
}

#[test]
fn a_load_sees_the_limit_and_the_values_of_its_context() {
    let bus = QueryBus::builder()
        .layer(Timeout::new(SECOND * 3600))
        .layer(Cache::ttl(SECOND))
        .register(from_async_fn(async |_: Nested, cx: &Context<'_>| {
            Ok(format!("{:?} {}", cx.get::<u8>(), cx.remaining().is_some()))
        }))
        .build()
        .expect("in range");
    let outcome = bus.execute_blocking_with(Nested(0), Context::new().with(7_u8));
    assert_eq!(outcome, Ok("Some(7) true".into()));
}
