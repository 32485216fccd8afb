//! The replies that commands and handles drop from a cache, and the moment of the drop.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use arcbus::middleware::cache::{CacheHandle, Outdated};
use arcbus::middleware::{
    Authorize, Bulkhead, Cache, CircuitBreaker, Invalidates, MapError, RateLimit, Retry,
};
use arcbus::{
    CancelToken, Class, Command, CommandBus, Context, Error, Handler, Idempotent, Layer, LayerExt,
    Message, Middleware, Next, Outcome, QueryBus, Rejection, from_fn, guard,
};

use crate::cache_support::{Act, Failed, Get, SECOND, Sent, Store, each_lane, get, ready, run_of};

/// The keys that a [`Put`] declares as changed.
#[derive(Clone, Copy, Debug)]
enum Says {
    Nothing,
    Key,
    Keys,
    If,
    All,
    Panics,
}

/// The way in which a [`Put`] ends.
#[derive(Clone, Debug, PartialEq)]
enum End {
    Reply,
    Fail(Failed),
    Panic,
    Wait,
    Refused,
    PanicFurtherOut,
}

#[derive(Clone, Debug)]
struct Put(Says, End);

impl Message for Put {
    const NAME: &'static str = "put";
    type Kind = Command;
    type Reply = ();
    type Error = Failed;

    fn classify(error: &Failed) -> Class {
        Get::classify(error)
    }
}

impl Idempotent for Put {}

impl Invalidates<Get> for Put {
    fn invalidates(&self) -> Outdated<Get> {
        match self.0 {
            Says::Nothing => Outdated::Nothing,
            Says::Key => Outdated::Key("a".into()),
            Says::Keys => Outdated::Keys(vec!["a".into(), "c".into()]),
            Says::If => Outdated::If(Box::new(|key| key != "b")),
            Says::All => Outdated::All,
            Says::Panics => Outdated::If(Box::new(|_| panic!("on purpose"))),
        }
    }
}

/// A handler that checks that the cache still keeps all three replies while it runs.
struct Puts(CacheHandle<Get>);

impl Handler<Put> for Puts {
    async fn handle(&self, msg: Put, _cx: &Context<'_>) -> Result<(), Failed> {
        assert_eq!(self.0.stats().entries, 3);
        match msg.1 {
            End::Fail(failed) => Err(failed),
            End::Panic => panic!("on purpose"),
            End::Wait => std::future::pending().await,
            _ => Ok(()),
        }
    }
}

/// A layer that panics after the inner service has run.
struct Panics;

impl Middleware<Put> for Panics {
    async fn handle(&self, msg: Put, cx: &Context<'_>, next: &impl Next<Put>) -> Outcome<Put> {
        let panics = msg.1 == End::PanicFurtherOut;
        let outcome = next.run(msg, cx).await;
        assert!(!panics);
        outcome
    }
}

struct Both {
    queries: QueryBus,
    commands: CommandBus,
    users: CacheHandle<Get>,
}

fn both() -> Both {
    let store = Store::new();
    let cache = Cache::ttl(SECOND * 60);
    let users = cache.handle::<Get>();
    let refuse = guard(|msg: &Put, _: &Context<'_>| match msg.1 {
        End::Refused => Err(Rejection::forbidden("no")),
        _ => Ok(()),
    });
    let commands = CommandBus::builder()
        .layer(cache.invalidator::<Get>())
        .wrap(Panics)
        .wrap(refuse)
        .register(Puts(users.clone()))
        .build()
        .expect("in range");
    let queries = store.bus(store.builder().layer(cache));
    Both {
        queries,
        commands,
        users,
    }
}

impl Both {
    /// Keeps three replies, and returns those still kept after `act`.
    fn kept_after(&self, act: impl FnOnce(&CommandBus)) -> String {
        for name in ["a", "b", "c"] {
            run_of(self.queries.execute_blocking(get(name)));
        }
        act(&self.commands);
        let mut kept = Vec::new();
        self.users.invalidate_if(|key| {
            kept.push(key.to_string());
            false
        });
        kept.sort();
        kept.concat()
    }
}

#[test]
fn a_command_drops_the_keys_that_it_changes() {
    let both = both();
    for (says, kept) in [
        (Says::Nothing, "abc"),
        (Says::Key, "bc"),
        (Says::Keys, "b"),
        (Says::If, "b"),
        (Says::All, ""),
        (Says::Panics, ""),
    ] {
        let put = Put(says, End::Reply);
        let blocking = both.kept_after(|bus| assert_eq!(bus.execute_blocking(put.clone()), Ok(())));
        let awaited = both.kept_after(|bus| assert_eq!(ready(bus.execute(put)), Ok(())));
        assert_eq!([blocking.as_str(), &awaited], [kept, kept], "{says:?}");
    }
}

#[test]
fn a_command_without_an_effect_drops_no_key() {
    let both = both();
    for end in [End::Fail(Failed::Permanent), End::Refused] {
        let put = Put(Says::Key, end.clone());
        let blocking = both.kept_after(|bus| drop(bus.execute_blocking(put.clone()).unwrap_err()));
        let awaited = both.kept_after(|bus| drop(ready(bus.execute(put)).unwrap_err()));
        assert_eq!([blocking.as_str(), &awaited], ["abc", "abc"], "{end:?}");
    }
    let token = CancelToken::new();
    token.cancel();
    let cx = Context::new().cancel_on(token);
    let put = Put(Says::Key, End::Reply);
    let kept = both.kept_after(|bus| drop(bus.execute_blocking_with(put, cx).unwrap_err()));
    assert_eq!(kept, "abc");
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

#[test]
fn a_command_that_may_have_acted_drops_its_keys() {
    let both = both();
    let panicked = Put(Says::Key, End::Panic);
    assert_eq!(
        both.kept_after(|bus| assert!(bus.execute_blocking(panicked.clone()).is_err())),
        "bc"
    );
    assert_eq!(
        both.kept_after(|bus| assert!(ready(bus.execute(panicked)).is_err())),
        "bc"
    );

    let panics = Put(Says::Key, End::PanicFurtherOut);
    let caught = |act: &dyn Fn()| assert!(catch_unwind(AssertUnwindSafe(act)).is_err());
    let kept = both.kept_after(|bus| caught(&|| drop(bus.execute_blocking(panics.clone()))));
    assert_eq!(kept, "bc");
    let kept = both.kept_after(|bus| caught(&|| drop(ready(bus.execute(panics.clone())))));
    assert_eq!(kept, "bc");

    let waits = Put(Says::Key, End::Wait);
    let dropped = both.kept_after(|bus| {
        let mut dispatch = Box::pin(bus.execute(waits.clone()));
        assert!(poll(dispatch.as_mut()).is_pending());
        assert_eq!(both.users.stats().entries, 3);
    });
    assert_eq!(dropped, "bc");
    let cancelled = both.kept_after(|bus| {
        let token = CancelToken::new();
        let mut dispatch =
            pin!(bus.execute_with(waits.clone(), Context::new().cancel_on(token.clone())));
        assert!(poll(dispatch.as_mut()).is_pending());
        token.cancel();
        assert!(matches!(poll(dispatch), Poll::Ready(Err(error)) if error.is_indeterminate()));
    });
    assert_eq!(cancelled, "bc");
    let late = both.kept_after(|bus| {
        let cx = Context::new().timeout(SECOND / 1000);
        assert!(
            bus.execute_blocking_with(waits, cx)
                .unwrap_err()
                .is_indeterminate()
        );
    });
    assert_eq!(late, "bc");
}

/// A lost connection says nothing about the acts before its loss.
#[test]
fn an_error_after_a_possible_act_drops_the_keys_of_the_command() {
    let both = both();
    for failed in [Failed::Transient, Failed::Unclassified] {
        let put = Put(Says::Key, End::Fail(failed));
        let blocking = both.kept_after(|bus| drop(bus.execute_blocking(put.clone()).unwrap_err()));
        let awaited = both.kept_after(|bus| drop(ready(bus.execute(put.clone())).unwrap_err()));
        assert_eq!([blocking.as_str(), &awaited], ["bc", "bc"], "{put:?}");
    }
}

/// Builds a bus whose commands pass `inner` between the invalidator and their handler.
fn inside<L: Layer<Put>>(cache: &Cache, inner: L, handler: impl Handler<Put>) -> CommandBus {
    CommandBus::builder()
        .layer(cache.invalidator::<Get>())
        .layer(inner)
        .register(handler)
        .build()
        .expect("in range")
}

/// Runs `put` in each lane with a reply in the cache, and returns how often the reply was dropped.
fn drops(bus: &CommandBus, cache: &Cache, put: &Put) -> usize {
    let store = Store::new();
    let queries = store.bus(store.builder().layer(cache.clone()));
    let users = cache.handle::<Get>();
    let lanes: [&dyn Fn() -> Outcome<Put>; 2] = [&|| bus.execute_blocking(put.clone()), &|| {
        ready(bus.execute(put.clone()))
    }];
    lanes
        .iter()
        .filter(|dispatch| {
            run_of(queries.execute_blocking(get("a")));
            assert_eq!(users.stats().entries, 1);
            assert!(dispatch().is_err());
            users.stats().entries == 0
        })
        .count()
}

#[test]
fn a_possible_act_of_an_earlier_attempt_is_not_hidden_by_the_last_attempt() {
    let cache = Cache::ttl(SECOND * 60);
    let retry = Retry::fixed(2, Duration::ZERO);
    let bus = inside(
        &cache,
        retry,
        from_fn(|_: Put, cx: &Context<'_>| match cx.attempt() {
            1 => Err(Failed::Transient),
            _ => Err(Failed::Permanent),
        }),
    );
    assert_eq!(drops(&bus, &cache, &Put(Says::Key, End::Reply)), 2);
}

#[test]
fn a_mapped_error_does_not_hide_a_possible_act_of_the_command() {
    let cache = Cache::ttl(SECOND * 60);
    let refused = |_: Error<Failed>, _: &Context<'_>| Rejection::forbidden("no").into();
    let bus = inside(
        &cache,
        MapError::new(refused),
        from_fn(|_: Put, _: &Context<'_>| Err::<(), _>(Failed::Transient)),
    );
    assert_eq!(drops(&bus, &cache, &Put(Says::Key, End::Reply)), 2);
}

#[test]
fn a_command_that_never_started_drops_no_key() {
    let never = |_: Put, _: &Context<'_>| -> Result<(), Failed> { panic!("it is not begun") };
    let put = Put(Says::Key, End::Reply);

    let cache = Cache::ttl(SECOND * 60);
    let refuse = Authorize::new(|_, _: &Context<'_>| Err(Rejection::unauthenticated()));
    let bus = inside(&cache, refuse, from_fn(never));
    assert_eq!(drops(&bus, &cache, &put), 0);

    let cache = Cache::ttl(SECOND * 60);
    let breaker = CircuitBreaker::consecutive(1);
    let handles = breaker.handles();
    let bus = inside(&cache, breaker, from_fn(never));
    handles.get("put").expect("registered").force_open();
    assert_eq!(drops(&bus, &cache, &put), 0);

    let cache = Cache::ttl(SECOND * 60);
    let limit = RateLimit::new(1, SECOND * 3600);
    let handles = limit.handles();
    let bus = inside(&cache, limit, from_fn(never));
    let policy = handles.get("put").expect("registered");
    while policy.check(Duration::from_secs(1 << 30)).is_ok() {}
    assert_eq!(drops(&bus, &cache, &put), 0);

    let cache = Cache::ttl(SECOND * 60);
    let bulkhead = Bulkhead::new(1);
    let handles = bulkhead.handles();
    let bus = inside(&cache, bulkhead, from_fn(never));
    let policy = handles.get("put").expect("registered");
    let _permit = policy.try_acquire().expect("free");
    assert_eq!(drops(&bus, &cache, &put), 0);
}

#[test]
fn a_panic_of_classify_drops_the_keys_of_the_command() {
    struct Odd;
    impl Message for Odd {
        const NAME: &'static str = "odd";
        type Kind = Command;
        type Reply = ();
        type Error = String;
        fn classify(_: &String) -> Class {
            panic!("on purpose")
        }
    }
    impl Invalidates<Get> for Odd {
        fn invalidates(&self) -> Outdated<Get> {
            Outdated::All
        }
    }
    let store = Store::new();
    let cache = Cache::ttl(SECOND * 60);
    let users = cache.handle::<Get>();
    let bus = CommandBus::builder()
        .layer(cache.invalidator::<Get>())
        .register(from_fn(|_: Odd, _: &Context<'_>| {
            Err::<(), _>("odd".to_owned())
        }))
        .build()
        .expect("in range");
    let queries = store.bus(store.builder().layer(cache));
    run_of(queries.execute_blocking(get("a")));
    assert!(catch_unwind(AssertUnwindSafe(|| bus.execute_blocking(Odd))).is_err());
    assert_eq!(users.stats().entries, 0);
}

#[test]
fn a_running_load_is_neither_kept_nor_joined_after_an_invalidation() {
    type Invalidate = fn(&CacheHandle<Get>);
    let ways: [Invalidate; 3] = [
        |users| users.invalidate("a"),
        |users| users.invalidate_if(|key| key == "a"),
        |users| users.invalidate_all(),
    ];
    for invalidate in ways {
        let store = Store::new();
        let cache = Cache::ttl(SECOND);
        let users = cache.handle::<Get>();
        let bus = store.bus(store.builder().layer(cache));
        store.set("a", Act::Wait);
        let (mut first, mut joined) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
        invalidate(&users);
        let mut after = Sent::pending(&bus, "a");
        assert_eq!(store.runs(), 2);
        store.set("a", Act::Reply);
        assert_eq!((run_of(first.woken()), run_of(joined.woken())), (1, 1));
        assert_eq!(users.stats().entries, 0);
        assert_eq!(run_of(after.woken()), 2);
        assert_eq!(each_lane(&bus, "a"), [2, 2]);
    }
}

#[test]
fn an_invalidated_run_that_is_handed_on_is_not_kept_either() {
    let store = Store::new();
    let cache = Cache::ttl(SECOND);
    let users = cache.handle::<Get>();
    let bus = store.bus(store.builder().layer(cache));
    store.set("a", Act::Wait);
    let (first, mut joined) = (Sent::pending(&bus, "a"), Sent::pending(&bus, "a"));
    users.invalidate("a");
    drop(first);
    store.set("a", Act::Reply);
    assert_eq!(run_of(joined.woken()), 1);
    assert_eq!(each_lane(&bus, "a"), [2, 2]);
}

#[test]
fn a_stale_reply_is_invalidated_as_well() {
    let store = Store::new();
    let cache = Cache::ttl(SECOND).stale_while_revalidate(SECOND * 9);
    let users = cache.handle::<Get>();
    let bus = store.bus(store.builder().layer(cache));
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    store.clock.advance(SECOND * 2);
    store.set("a", Act::Wait);
    let mut renewing = Sent::pending(&bus, "a");
    users.invalidate("a");
    let mut after = Sent::pending(&bus, "a");
    store.set("a", Act::Reply);
    assert_eq!((run_of(renewing.woken()), run_of(after.woken())), (2, 3));
}

#[test]
fn a_handle_covers_every_route_in_use() {
    let (one, two) = (Store::new(), Store::new());
    let cache = Cache::ttl(SECOND);
    let first = one.bus(one.builder().layer(cache.clone()));
    let users = cache.handle::<Get>();
    let second = two.bus(two.builder().layer(cache.shared()));
    assert_eq!(
        (each_lane(&first, "a"), each_lane(&second, "a")),
        ([1, 1], [1, 1])
    );
    assert_eq!((users.stats().entries, users.stats().loads), (2, 2));
    users.invalidate("a");
    assert_eq!(
        (each_lane(&first, "a"), each_lane(&second, "a")),
        ([2, 2], [2, 2])
    );
    drop(first);
    assert_eq!(users.stats().entries, 1);
}

/// The drop of a reply, and the predicate on a key, use the cache.
#[test]
fn a_reply_dropped_from_a_cache_may_use_the_cache() {
    use arcbus::middleware::Cacheable;
    use arcbus::{Query, from_fn};
    use std::sync::OnceLock;

    struct Ask(u32);
    struct Looks(Arc<OnceLock<QueryBus>>);
    impl Message for Ask {
        const NAME: &'static str = "ask";
        type Kind = Query;
        type Reply = Arc<Looks>;
        type Error = String;
    }
    impl Cacheable for Ask {
        type Key = u32;
        fn key(&self) -> &u32 {
            &self.0
        }
    }
    impl Drop for Looks {
        fn drop(&mut self) {
            if let Some(bus) = self.0.get() {
                drop(bus.execute_blocking(Ask(1000)));
            }
        }
    }
    let place = Arc::new(OnceLock::new());
    let inner = Arc::clone(&place);
    let cache = Cache::ttl(SECOND * 60).capacity(1);
    let handle = cache.handle::<Ask>();
    let bus = QueryBus::builder()
        .layer(cache)
        .register(from_fn(move |msg: Ask, _: &Context<'_>| {
            // The reply under the key 1000 must not ask again.
            let place = if msg.0 == 1000 {
                Arc::default()
            } else {
                Arc::clone(&inner)
            };
            Ok(Arc::new(Looks(place)))
        }))
        .build()
        .expect("in range");
    place.set(bus.clone()).expect("once");
    for ask in 0..20 {
        assert!(bus.execute_blocking(Ask(ask)).is_ok());
    }
    assert!(handle.stats().loads > 20, "drops have asked");
    for (ask, invalidate) in [0_u32, 1, 2].iter().zip([
        |handle: &CacheHandle<Ask>| handle.invalidate(&0),
        |handle: &CacheHandle<Ask>| handle.invalidate_all(),
        |handle: &CacheHandle<Ask>| handle.invalidate_if(|_| true),
    ]) {
        assert!(bus.execute_blocking(Ask(*ask)).is_ok());
        invalidate(&handle);
    }
}

/// A reply that runs a closure when dropped.
#[derive(Clone)]
struct Dropped(Arc<dyn Fn() + Send + Sync>);

impl Drop for Dropped {
    fn drop(&mut self) {
        (self.0)();
    }
}

struct Make(u32);

impl Message for Make {
    const NAME: &'static str = "make";
    type Kind = arcbus::Query;
    type Reply = Dropped;
    type Error = String;
}

impl arcbus::middleware::Cacheable for Make {
    type Key = u32;
    fn key(&self) -> &u32 {
        &self.0
    }
}

#[test]
fn an_invalidated_load_is_dropped_outside_the_locks() {
    let cache = Cache::ttl(SECOND * 60);
    let handle = cache.handle::<Make>();
    let make = move |msg: Make, _: &Context<'_>| {
        handle.invalidate(&msg.0);
        let handle = handle.clone();
        Ok(Dropped(Arc::new(move || handle.invalidate(&msg.0))))
    };
    let bus = QueryBus::builder()
        .layer(cache)
        .register(arcbus::from_fn(make));
    let bus = bus.build().expect("in range");
    let (done, is_done) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        let made = bus.execute_blocking(Make(1)).is_ok();
        done.send(made).expect("it is waited for");
    });
    assert_eq!(is_done.recv_timeout(SECOND * 10), Ok(true));
}

#[test]
fn a_reply_whose_drop_panics_does_not_keep_other_replies_in_the_cache() {
    use std::sync::atomic::{AtomicBool, Ordering};

    let cache = Cache::ttl(SECOND * 60);
    let handle = cache.handle::<Make>();
    let panics = Arc::new(AtomicBool::new(false));
    let when = Arc::clone(&panics);
    let make = move |_: Make, _: &Context<'_>| {
        let when = Arc::clone(&when);
        let drop = move || assert!(!when.load(Ordering::Relaxed), "on purpose");
        Ok(Dropped(Arc::new(drop)))
    };
    let bus = QueryBus::builder()
        .layer(cache)
        .register(arcbus::from_fn(make));
    let bus = bus.build().expect("in range");
    for key in 0..3 {
        assert!(bus.execute_blocking(Make(key)).is_ok());
    }
    assert_eq!(handle.stats().entries, 3);
    panics.store(true, Ordering::Relaxed);
    handle.invalidate_all();
    panics.store(false, Ordering::Relaxed);
    assert_eq!(handle.stats().entries, 0);
}
