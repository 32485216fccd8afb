//! The replies that a cache keeps, their time to live and the callers they are for, and the replies
//! that are not kept.

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::Cache;
use arcbus::middleware::cache::CacheHandle;
use arcbus::{
    Context, Error, Facts, Layer, Message, Query, QueryBus, RegistrationError, Source, from_fn,
};

use crate::cache_support::{
    Act, Failed, Get, SECOND, Sent, Sources, Store, each_lane, get, ready, run_of,
};

fn exact(ttl: Duration) -> Cache {
    Cache::ttl(ttl).jitter(0.0)
}

#[test]
fn a_kept_reply_is_served_until_its_ttl_ends() {
    let (store, sources) = (Store::new(), Sources::default());
    let layer = store
        .builder()
        .wrap(sources.layer())
        .layer(exact(SECOND * 5));
    let bus = store.bus(layer);
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    store.clock.advance(SECOND * 5 - Duration::from_nanos(1));
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    let from = |n| [vec![Source::Handler], vec![Source::Cache; n]].concat();
    assert_eq!(sources.take(), from(3));
    store.clock.advance(Duration::from_nanos(1));
    assert_eq!(run_of(ready(bus.execute(get("a")))), 2);
    assert_eq!(each_lane(&bus, "a"), [2, 2]);
    assert_eq!(sources.take(), from(2));
}

#[test]
fn each_key_has_its_own_reply() {
    let store = Store::new();
    let bus = store.bus(store.builder().layer(exact(SECOND)));
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    assert_eq!(each_lane(&bus, "b"), [2, 2]);
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
}

#[test]
fn a_query_that_is_its_own_key_covers_every_parameter() {
    use arcbus::middleware::Cacheable;

    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Find {
        role: &'static str,
        page: u32,
    }
    impl Message for Find {
        const NAME: &'static str = "find";
        type Kind = Query;
        type Reply = String;
        type Error = String;
    }
    impl Cacheable for Find {
        type Key = Self;
        fn key(&self) -> &Self {
            self
        }
    }
    let bus = QueryBus::builder()
        .layer(exact(SECOND * 60))
        .register(from_fn(|msg: Find, _: &Context<'_>| {
            Ok(format!("{} {}", msg.role, msg.page))
        }))
        .build()
        .expect("in range");
    for (role, page) in [("a", 1), ("a", 2), ("b", 1), ("a", 1)] {
        let reply = bus.execute_blocking(Find { role, page });
        assert_eq!(reply, Ok(format!("{role} {page}")));
    }
}

#[test]
fn errors_and_panics_are_not_kept() {
    let store = Store::new();
    let cache = exact(SECOND);
    let handle = cache.handle::<Get>();
    let bus = store.bus(store.builder().layer(cache));
    for act in [
        Act::Fail(Failed::Permanent),
        Act::Fail(Failed::Unclassified),
        Act::Panic,
    ] {
        store.set("a", act);
        let before = store.runs();
        assert!(bus.execute_blocking(get("a")).is_err());
        assert!(ready(bus.execute(get("a"))).is_err());
        assert_eq!(store.runs(), before + 2);
    }
    assert_eq!(handle.stats().entries, 0);
    store.set("a", Act::Reply);
    assert_eq!(each_lane(&bus, "a"), [7, 7]);
}

#[test]
fn errors_are_kept_on_request_unless_transient() {
    let store = Store::new();
    let cache = exact(SECOND * 60).cache_errors(SECOND * 2);
    let bus = store.bus(store.builder().layer(cache));
    let ask = |name| {
        [
            bus.execute_blocking(get(name)),
            ready(bus.execute(get(name))),
        ]
    };
    for (name, failed, runs) in [
        ("a", Failed::Permanent, 1),
        ("b", Failed::Unclassified, 1),
        ("c", Failed::Transient, 2),
    ] {
        store.set(name, Act::Fail(failed.clone()));
        let before = store.runs();
        let error = || Err(Error::Handler(failed.clone()));
        assert_eq!(ask(name), [error(), error()]);
        assert_eq!(store.runs() - before, runs, "{name}");
        store.set(name, Act::Reply);
    }
    store.clock.advance(SECOND * 2 - Duration::from_nanos(1));
    assert!(bus.execute_blocking(get("a")).is_err());
    store.clock.advance(Duration::from_nanos(1));
    assert_eq!(each_lane(&bus, "a"), [5, 5]);
    store.set("d", Act::Panic);
    assert!(bus.execute_blocking(get("d")).unwrap_err().is_panicked());
    assert!(bus.execute_blocking(get("d")).unwrap_err().is_panicked());
    assert_eq!(store.runs(), 7);
}

/// A layer that replaces an error by a reply.
struct Substitute;

impl arcbus::Middleware<Get> for Substitute {
    async fn handle(
        &self,
        msg: Get,
        cx: &Context<'_>,
        next: &impl arcbus::Next<Get>,
    ) -> arcbus::Outcome<Get> {
        match next.run(msg, cx).await {
            Ok(reply) => Ok(reply),
            Err(_) => {
                cx.answered_by(Source::Fallback);
                Ok((0, "substitute".into()))
            }
        }
    }
}

#[test]
fn a_substitute_of_an_inner_layer_is_not_kept() {
    let (store, sources) = (Store::new(), Sources::default());
    let builder = store.builder().wrap(sources.layer()).layer(exact(SECOND));
    let bus = store.bus(builder.wrap(Substitute));
    store.set("a", Act::Fail(Failed::Permanent));
    assert_eq!(each_lane(&bus, "a"), [0, 0]);
    assert_eq!(sources.take(), [Source::Fallback; 2]);
    store.set("a", Act::Reply);
    assert_eq!(each_lane(&bus, "a"), [3, 3]);
    assert_eq!(sources.take(), [Source::Handler, Source::Cache]);
}

#[test]
fn a_reply_varies_by_the_configured_values() {
    #[derive(Clone, PartialEq, Eq, Hash)]
    struct Tenant(u32);

    let store = Store::new();
    let cache = exact(SECOND).vary_by::<Tenant>();
    let handle = cache.handle::<Get>();
    let bus = store.bus(store.builder().layer(cache));
    let ask = |tenant: Option<u32>| {
        let cx = || match tenant {
            Some(tenant) => Context::new().with(Tenant(tenant)),
            None => Context::new(),
        };
        [
            run_of(bus.execute_blocking_with(get("a"), cx())),
            run_of(ready(bus.execute_with(get("a"), cx()))),
        ]
    };
    assert_eq!(
        (ask(Some(1)), ask(Some(2)), ask(None)),
        ([1, 1], [2, 2], [3, 3])
    );
    assert_eq!(
        (ask(Some(1)), ask(Some(2)), ask(None)),
        ([1, 1], [2, 2], [3, 3])
    );
    handle.invalidate("b");
    assert_eq!(handle.stats().entries, 3);
    handle.invalidate("a");
    assert_eq!(handle.stats().entries, 0, "for every tenant");
    assert_eq!(ask(Some(2)), [4, 4]);
}

#[test]
fn a_stale_reply_is_served_while_a_single_dispatch_renews_it() {
    let (store, sources) = (Store::new(), Sources::default());
    let cache = exact(SECOND).stale_while_revalidate(SECOND * 2);
    let handle = cache.handle::<Get>();
    let bus = store.bus(store.builder().wrap(sources.layer()).layer(cache));
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    store.clock.advance(SECOND);
    sources.take();
    store.set("a", Act::Wait);
    let mut first = Sent::pending(&bus, "a");
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    assert_eq!(sources.take(), [Source::Stale; 2]);
    store.set("a", Act::Reply);
    assert_eq!(run_of(first.woken()), 2);
    assert_eq!(each_lane(&bus, "a"), [2, 2]);
    assert_eq!(
        sources.take(),
        [Source::Handler, Source::Cache, Source::Cache]
    );
    let stats = handle.stats();
    assert_eq!(
        (stats.hits, stats.misses, stats.loads, stats.stale),
        (3, 2, 2, 2)
    );

    store.clock.advance(SECOND * 3);
    assert_eq!(each_lane(&bus, "a"), [3, 3], "beyond the stale time");
}

#[test]
fn a_failed_renewal_serves_the_stale_reply_unless_the_error_must_be_seen() {
    let (store, sources) = (Store::new(), Sources::default());
    let cache = exact(SECOND).stale_while_revalidate(SECOND * 2);
    let bus = store.bus(store.builder().wrap(sources.layer()).layer(cache));
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    store.clock.advance(SECOND * 3 - Duration::from_nanos(1));
    sources.take();
    let failures = [
        Act::Fail(Failed::Transient),
        Act::Fail(Failed::Unclassified),
        Act::Panic,
    ];
    for act in failures {
        store.set("a", act);
        assert_eq!(each_lane(&bus, "a"), [1, 1]);
        assert_eq!(sources.take(), [Source::Stale; 2]);
    }
    assert_eq!(store.runs(), 7);
    store.set("a", Act::Fail(Failed::Permanent));
    let gone = || Err(Error::Handler(Failed::Permanent));
    assert_eq!(bus.execute_blocking(get("a")), gone());
    assert_eq!(ready(bus.execute(get("a"))), gone());
}

#[test]
fn a_full_cache_makes_room() {
    let store = Store::new();
    let cache = exact(SECOND).capacity(4);
    let handle = cache.handle::<Get>();
    let bus = store.bus(store.builder().layer(cache));
    for name in 0..100 {
        run_of(bus.execute_blocking(get(&name.to_string())));
    }
    let stats = handle.stats();
    assert_eq!((stats.entries, stats.evictions, stats.loads), (4, 96, 100));
    // A reply that is being renewed must not be evicted.
    store.clock.advance(SECOND);
    let before = store.runs();
    let kept = (0..100).filter(|name| handle_has(&handle, &name.to_string()));
    for name in kept.collect::<Vec<_>>() {
        run_of(bus.execute_blocking(get(&name.to_string())));
    }
    assert_eq!(store.runs() - before, 4);
    assert_eq!((handle.stats().entries, handle.stats().evictions), (4, 96));
}

fn handle_has(handle: &CacheHandle<Get>, name: &str) -> bool {
    let mut has = false;
    handle.invalidate_if(|key| {
        has |= key == name;
        false
    });
    has
}

#[test]
fn jitter_shortens_by_at_most_its_part() {
    let store = Store::new();
    let bus = store.bus(store.builder().layer(Cache::ttl(SECOND * 10).jitter(0.5)));
    let names: Vec<_> = (0..100).map(|name| name.to_string()).collect();
    let fresh = || {
        let before = store.runs();
        names
            .iter()
            .for_each(|name| drop(bus.execute_blocking(get(name))));
        100 - (store.runs() - before)
    };
    assert_eq!(fresh(), 0);
    store.clock.advance(SECOND * 5);
    assert_eq!(fresh(), 100, "none before half its time");
    store.clock.advance(SECOND * 5 / 2);
    let half = fresh();
    assert!((20..80).contains(&half), "{half}");
}

#[test]
fn a_replaced_handler_does_not_answer_from_the_cache_of_the_old_one() {
    let (old, new) = (Store::new(), Store::new());
    new.set("a", Act::Fail(Failed::Permanent));
    let (bus, registrar) = old
        .builder()
        .layer(exact(SECOND * 60))
        .open()
        .expect("empty");
    registrar.must_register::<Get, _>(old.clone());
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    drop(registrar.replace::<Get, _>(new).expect("it is there"));
    assert!(bus.execute_blocking(get("a")).is_err());
}

#[test]
fn a_cache_switched_off_keeps_no_reply() {
    let store = Store::new();
    let bus = store.bus(store.builder().layer(None::<Cache>));
    assert_eq!(each_lane(&bus, "a"), [1, 2]);
}

#[test]
fn settings_out_of_range_are_refused() {
    fn refused<L: Layer<Get>>(layer: L) -> String {
        let store = Store::new();
        match store.builder().layer(layer).register(store.clone()).build() {
            Err(RegistrationError::InvalidSetting(invalid)) => invalid.field().into(),
            other => format!("{:?}", other.is_ok()),
        }
    }
    const NANO: Duration = Duration::from_nanos(1);
    let most = Duration::from_nanos(i64::MAX as u64);
    for time in [Duration::ZERO, most + NANO, Duration::MAX] {
        assert_eq!(refused(exact(time)), "Cache.ttl");
        assert_eq!(
            refused(exact(NANO).cache_errors(time)),
            "Cache.cache_errors"
        );
        let stale = exact(NANO).stale_while_revalidate(time);
        assert_eq!(refused(stale), "Cache.stale_while_revalidate");
    }
    for part in [-0.01, 1.01, f64::NAN, f64::INFINITY] {
        assert_eq!(refused(exact(NANO).jitter(part)), "Cache.jitter");
    }
    for capacity in [0, 1_000_000_001, usize::MAX] {
        assert_eq!(refused(exact(NANO).capacity(capacity)), "Cache.capacity");
    }
    let widest = exact(most)
        .stale_while_revalidate(most)
        .cache_errors(most)
        .jitter(1.0)
        .capacity(1_000_000_000);
    assert_eq!(refused(widest), "true");
    let narrowest = exact(NANO).stale_while_revalidate(NANO).cache_errors(NANO);
    assert_eq!(refused(narrowest.capacity(1)), "true");
}

#[test]
fn the_facts_say_how_old_a_reply_may_be() {
    let cache = exact(SECOND).stale_while_revalidate(SECOND);
    let facts = Layer::<Get>::facts(&cache);
    assert_ne!(facts, Facts::new());
    assert!(
        format!("{facts:?}").contains("1s, up to 10000 replies, stale 1s"),
        "{facts:?}"
    );
}

#[test]
fn outer_layers_read_the_end_of_a_run_anew() {
    let store = Store::new();
    let metrics = arcbus::metrics::Metrics::new();
    let clock = store.clock.clone();
    let bus = store
        .builder()
        .layer(metrics.layer())
        .layer(exact(SECOND * 60))
        .register(from_fn(move |msg: Get, _: &Context<'_>| {
            clock.advance(SECOND);
            Ok((1, Arc::from(msg.0)))
        }))
        .build()
        .expect("in range");
    assert_eq!(each_lane(&bus, "a"), [1, 1]);
    let snapshot = metrics.snapshot();
    let route = snapshot.route("get").expect("it was dispatched");
    assert_eq!(route.max(), Some(SECOND));
    assert_eq!(route.replies_from(Source::Cache), 1);
}

#[test]
fn every_public_type_goes_everywhere() {
    use arcbus::middleware::Coalesce;
    use arcbus::middleware::cache::{CacheStats, Invalidator, InvalidatorGate, Outdated};
    use static_assertions::assert_impl_all;
    use std::fmt::Debug;

    assert_impl_all!(Cache: Send, Sync, Unpin, Clone, Debug);
    assert_impl_all!(<Cache as Layer<Get>>::Middleware: Send, Sync, Unpin, Debug);
    assert_impl_all!(Coalesce: Send, Sync, Unpin, Clone, Debug);
    assert_impl_all!(CacheHandle<Get>: Send, Sync, Unpin, Clone, Debug);
    assert_impl_all!(Invalidator<Get>: Send, Sync, Unpin, Clone, Debug);
    assert_impl_all!(InvalidatorGate<Get>: Send, Sync, Unpin, Debug);
    assert_impl_all!(CacheStats: Send, Sync, Copy, Eq, Debug);
    assert_impl_all!(Outdated<Get>: Send, Debug);
    let debug = format!("{:?} {:?}", exact(SECOND), exact(SECOND).handle::<Get>());
    assert!(
        debug.contains("capacity: 10000") && debug.contains("\"get\""),
        "{debug}"
    );
}
