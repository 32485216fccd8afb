//! A run that belongs to all who wait for it: none of them gets less than without the layer.

use std::sync::{Arc, Mutex, OnceLock};
use std::thread;
use std::time::Duration;

use arcbus::middleware::cache::CacheHandle;
use arcbus::middleware::{Cache, Cacheable, Coalesce, Timeout};
use arcbus::{
    CancelToken, Context, Error, Handler, Message, Phase, Query, QueryBus, Source, from_async_fn,
};

use crate::cache_support::{Act, Failed, Get, Sent, Sources, Store, each_lane, get, ready, run_of};

const MS: Duration = Duration::from_millis(1);

/// A bus whose load is under way, with a cache and with nothing kept.
fn buses(store: &Store) -> [(QueryBus, CacheHandle<Get>); 2] {
    let (cache, coalesce) = (Cache::ttl(MS * 60_000), Coalesce::new());
    let handles = (cache.handle(), coalesce.handle());
    [
        (store.bus(store.builder().layer(cache)), handles.0),
        (store.bus(store.builder().layer(coalesce)), handles.1),
    ]
}

fn within(limit: Duration) -> Context<'static> {
    Context::new().timeout(limit)
}

fn until(holds: impl Fn() -> bool) {
    while !holds() {
        thread::yield_now();
    }
}

fn is_late(outcome: &arcbus::Outcome<Get>) -> bool {
    matches!(outcome, Err(Error::Timeout { .. }))
}

#[test]
fn a_caller_with_more_time_than_the_leader_gets_the_leaders_run() {
    let store = Store::new();
    for (number, (bus, handle)) in (1..).zip(buses(&store)) {
        store.set("a", Act::Wait);
        let mut leader = Sent::pending_in(&bus, "a", within(MS * 120));
        let mut waiter = Sent::pending_in(&bus, "a", within(MS * 300));
        store.clock.advance(MS * 120);
        assert!(is_late(&leader.woken()));
        assert_eq!(waiter.poll(), None);
        assert_eq!((store.runs(), store.under_way()), (number, 1));
        store.clock.advance(MS * 80);
        store.set("a", Act::Reply);
        assert_eq!(run_of(waiter.woken()), number);
        assert_eq!((handle.stats().loads, handle.stats().waits), (1, 1));
    }
}

#[test]
fn a_blocking_caller_with_more_time_than_the_leader_gets_the_leaders_run() {
    let store = Store::new();
    for (number, (bus, handle)) in (1..).zip(buses(&store)) {
        store.set("a", Act::Wait);
        let call = |limit| {
            let bus = bus.clone();
            thread::spawn(move || bus.execute_blocking_with(get("a"), within(limit)))
        };
        let leader = call(MS * 120);
        until(|| store.under_way() == 1);
        let waiter = call(MS * 300);
        until(|| handle.stats().waits == 1);
        store.clock.advance(MS * 120);
        assert!(is_late(&leader.join().expect("no panic")));
        store.clock.advance(MS * 80);
        store.set("a", Act::Reply);
        assert_eq!(run_of(waiter.join().expect("no panic")), number);
        assert_eq!(store.runs(), number);
    }
}

#[test]
fn callers_with_less_time_than_the_load_fill_the_cache_together() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let cache = Cache::ttl(MS * 60_000);
    let bus = store.bus(store.builder().layer(cache));
    let mut first = Sent::pending_in(&bus, "a", within(MS * 100));
    store.clock.advance(MS * 50);
    let mut second = Sent::pending_in(&bus, "a", within(MS * 100));
    store.clock.advance(MS * 50);
    assert!(is_late(&first.woken()));
    assert_eq!(second.poll(), None);
    let mut third = Sent::pending_in(&bus, "a", within(MS * 100));
    store.clock.advance(MS * 49);
    store.set("a", Act::Reply);
    assert_eq!((run_of(second.woken()), run_of(third.woken())), (1, 1));
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
}

#[test]
fn a_run_ends_when_the_last_of_those_who_wait_leaves() {
    let store = Store::new();
    for (bus, _) in buses(&store) {
        store.set("a", Act::Wait);
        let [first, second, third] = [(); 3].map(|()| Sent::pending(&bus, "a"));
        drop(second);
        assert_eq!(store.under_way(), 1);
        drop(first);
        assert_eq!(store.under_way(), 1, "the third has not even been polled");
        drop(third);
        assert_eq!(store.under_way(), 0);
        store.set("a", Act::Reply);
    }
}

#[test]
fn a_run_that_was_handed_on_says_that_it_was_another_dispatchs() {
    let (store, sources) = (Store::new(), Sources::default());
    store.set("a", Act::Wait);
    let cache = Cache::ttl(MS * 60_000);
    let bus = store.bus(store.builder().wrap(sources.layer()).layer(cache));
    let leader = Sent::pending(&bus, "a");
    let mut waiter = Sent::pending(&bus, "a");
    drop(leader);
    store.set("a", Act::Reply);
    assert_eq!(run_of(waiter.woken()), 1);
    assert_eq!(sources.take(), [Source::Coalesced]);
}

#[test]
fn the_cancellation_and_the_timeout_layer_of_a_leader_do_not_end_a_run() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let layers = store
        .builder()
        .layer(Timeout::new(MS * 120))
        .layer(Cache::ttl(MS * 60_000));
    let bus = store.bus(layers);
    let token = CancelToken::new();
    let mut first = Sent::pending_in(&bus, "a", Context::new().cancel_on(token.clone()));
    let mut second = Sent::pending(&bus, "a");
    store.clock.advance(MS * 60);
    let mut third = Sent::pending(&bus, "a");
    token.cancel();
    let phase = Phase::Indeterminate;
    assert_eq!(first.woken(), Err(Error::Cancelled { phase }));
    assert_eq!(second.poll(), None);
    store.clock.advance(MS * 60);
    assert!(is_late(&second.woken()));
    assert_eq!(third.poll(), None);
    store.set("a", Act::Reply);
    assert_eq!((run_of(third.woken()), store.runs()), (1, 1));
}

#[test]
fn a_run_that_panics_is_handed_to_nobody() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let cache = Cache::ttl(MS * 60_000);
    let bus = store.bus(store.builder().layer(cache));
    let leader = Sent::pending(&bus, "a");
    let (mut second, mut third) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    drop(leader);
    assert_eq!(second.poll(), None);
    store.set("a", Act::Panic);
    assert!(matches!(second.woken(), Err(Error::Panicked { .. })));
    store.set("a", Act::Reply);
    assert_eq!((run_of(third.woken()), store.runs()), (2, 2));
}

#[test]
fn a_run_that_fails_after_it_was_handed_on_fails_for_the_one_who_leads() {
    let store = Store::new();
    store.set("a", Act::Wait);
    let cache = Cache::ttl(MS * 60_000);
    let bus = store.bus(store.builder().layer(cache));
    let leader = Sent::pending(&bus, "a");
    let (mut second, mut third) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    drop(leader);
    assert_eq!(second.poll(), None);
    store.set("a", Act::Fail(Failed::Transient));
    assert_eq!(second.woken(), Err(Error::Handler(Failed::Transient)));
    store.set("a", Act::Reply);
    assert_eq!((run_of(third.woken()), store.runs()), (2, 2));
}

#[test]
fn a_dispatch_that_leads_in_turn_may_be_dropped_after_any_number_of_polls() {
    for polls in 0..3 {
        let store = Store::new();
        for (number, (bus, _)) in (1..).zip(buses(&store)) {
            store.set("a", Act::Wait);
            let leader = Sent::pending(&bus, "a");
            let mut second = Sent::pending(&bus, "a");
            let mut third = Sent::pending(&bus, "a");
            drop(leader);
            (0..polls).for_each(|_| assert_eq!(second.poll(), None));
            drop(second);
            assert_eq!((store.under_way(), store.runs()), (1, number));
            store.set("a", Act::Reply);
            assert_eq!(run_of(third.woken()), number);
        }
    }
}

struct Left;

impl Message for Left {
    const NAME: &'static str = "left";
    type Kind = Query;
    type Reply = ();
    type Error = std::convert::Infallible;
}

impl Cacheable for Left {
    type Key = ();
    fn key(&self) -> &() {
        &()
    }
}

type Seen = Arc<Mutex<Vec<Option<Duration>>>>;

/// Notes at each poll how much time it has.
struct Times(Seen);

impl Handler<Left> for Times {
    async fn handle(&self, _: Left, cx: &Context<'_>) -> Result<(), std::convert::Infallible> {
        std::future::poll_fn(|_| {
            self.0.lock().expect("no panic").push(cx.remaining());
            std::task::Poll::<()>::Pending
        })
        .await;
        Ok(())
    }
}

#[test]
fn a_run_has_the_time_of_the_one_who_waits_longest_at_that_moment() {
    let (seen, clock) = (Seen::default(), arcbus::FakeClock::new());
    let bus = QueryBus::builder()
        .clock(clock.clone())
        .layer(Coalesce::new())
        .register(Times(Arc::clone(&seen)))
        .build()
        .expect("in range");
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    let mut leader = Box::pin(bus.execute_with(Left, within(MS * 120)));
    let last = || seen.lock().expect("no panic").last().copied().flatten();
    assert!(leader.as_mut().poll(&mut task).is_pending());
    assert_eq!(last(), Some(MS * 120));
    let mut longest = Box::pin(bus.execute_with(Left, within(MS * 300)));
    assert!(longest.as_mut().poll(&mut task).is_pending());
    clock.advance(MS * 20);
    assert!(leader.as_mut().poll(&mut task).is_pending());
    assert_eq!(last(), Some(MS * 280));
    drop(longest);
    assert!(leader.as_mut().poll(&mut task).is_pending());
    assert_eq!(last(), Some(MS * 100));
    let mut endless = Box::pin(bus.execute(Left));
    assert!(endless.as_mut().poll(&mut task).is_pending());
    assert!(leader.as_mut().poll(&mut task).is_pending());
    assert_eq!(last(), None);
}

/// Asks its own bus for the other key, in its own context or in none.
struct Asks(Arc<OnceLock<QueryBus>>, bool);

struct Nested(u32);

impl Message for Nested {
    const NAME: &'static str = "nested";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

impl Cacheable for Nested {
    type Key = u32;
    fn key(&self) -> &u32 {
        &self.0
    }
}

impl Handler<Nested> for Asks {
    async fn handle(&self, msg: Nested, cx: &Context<'_>) -> Result<u32, String> {
        let bus = self.0.get().expect("set");
        if msg.0 > 1 {
            return Ok(msg.0);
        }
        // So that both are under way before either asks for the other.
        let mut waited = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
            true => std::task::Poll::Ready(()),
            false => std::task::Poll::Pending,
        })
        .await;
        let other = Nested(1 - msg.0);
        let asked = match self.1 {
            true => bus.execute_in(cx, other).await,
            false => bus.execute(other).await,
        };
        asked.map_err(|error| error.to_string())
    }
}

#[test]
fn two_runs_that_wait_for_each_other_end_when_their_callers_leave() {
    for in_context in [true, false] {
        let place = Arc::new(OnceLock::new());
        let bus = QueryBus::builder()
            .layer(Cache::ttl(MS))
            .register(Asks(Arc::clone(&place), in_context))
            .build()
            .expect("in range");
        place.set(bus.clone()).expect("once");
        let mut task = std::task::Context::from_waker(std::task::Waker::noop());
        let mut both = [0, 1].map(|key| Box::pin(bus.execute(Nested(key))));
        for _ in 0..2 {
            for sent in &mut both {
                assert!(sent.as_mut().poll(&mut task).is_pending());
            }
        }
        let [first, mut second] = both;
        drop(first);
        let _told = second.as_mut().poll(&mut task).is_ready();
        drop(second);
        // Nothing is left in the air: each key begins anew.
        for key in [0, 1] {
            let mut anew = Box::pin(bus.execute(Nested(key)));
            assert!(anew.as_mut().poll(&mut task).is_pending());
        }
        assert_eq!(ready(bus.execute(Nested(7))), Ok(7));
    }
}

#[test]
fn a_replaced_handler_is_in_use_until_its_run_has_ended() {
    let (bus, registrar) = QueryBus::builder()
        .layer(Coalesce::new())
        .register(from_async_fn(async |_: Nested, _: &Context<'_>| {
            std::future::pending().await
        }))
        .open()
        .expect("in range");
    let mut task = std::task::Context::from_waker(std::task::Waker::noop());
    let mut leader = Box::pin(bus.execute(Nested(1)));
    let mut waiter = Box::pin(bus.execute(Nested(1)));
    assert!(leader.as_mut().poll(&mut task).is_pending());
    assert!(waiter.as_mut().poll(&mut task).is_pending());
    let retired = registrar
        .replace(from_async_fn(async |_: Nested, _: &Context<'_>| Ok(2)))
        .expect("registered");
    drop(leader);
    assert!(waiter.as_mut().poll(&mut task).is_pending());
    assert!(!retired.is_drained());
    drop(waiter);
    assert!(retired.is_drained());
    assert_eq!(ready(bus.execute(Nested(1))), Ok(2));
}
