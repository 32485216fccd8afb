//! `Metrics`: counts every dispatch once, by the way in which it ended.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::pin;
use std::thread;
use std::time::Duration;

use arcbus::ErrorKind;
use arcbus::metrics::{MEMORY_PER_THREAD_AND_ROUTE, Metrics};
use arcbus::middleware::Fallback;
use arcbus::{
    BusBuilder, Class, Command, CommandBus, Context, FakeClock, Gate, Gated, Message, NoLayers,
    Outcome, Rejection, Source, from_fn, guard,
};

use crate::acts::{Act, Actor, block, each_lane, layers, poll_once};

fn builder(clock: &FakeClock) -> BusBuilder<Command, NoLayers> {
    CommandBus::builder().clock(clock.clone())
}

/// A message whose handler takes `self.0` nanoseconds of the fake clock.
#[derive(Clone, Copy)]
struct Take(u64);

impl Message for Take {
    const NAME: &'static str = "take";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// Builds a bus whose handler replies after an even number of nanoseconds, and fails after an odd
/// number.
fn takes_time(clock: &FakeClock, metrics: &Metrics) -> CommandBus {
    let moved = clock.clone();
    let take = move |msg: Take, _: &Context<'_>| {
        moved.advance(Duration::from_nanos(msg.0));
        match msg.0 % 2 {
            0 => Ok(()),
            _ => Err("odd".to_owned()),
        }
    };
    let builder = builder(clock).layer(metrics.layer());
    builder
        .register(from_fn(take))
        .build()
        .expect("one handler")
}

#[test]
fn each_end_is_counted_by_its_kind() {
    let metrics = Metrics::new();
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .wrap(guard(|msg: &Act, _: &Context<'_>| match msg {
            Act::Answer(13) => Err(Rejection::new("unlucky")),
            _ => Ok(()),
        }))
        .register(Actor::default())
        .build()
        .expect("one handler");
    assert_eq!(layers(&bus), ["Metrics", "GuardGate"]);
    for act in [
        Act::Answer(1),
        Act::Answer(13),
        Act::Invalid,
        Act::Fail,
        Act::Panic,
    ] {
        let _ = each_lane(&bus, act);
    }
    block(async {
        let mut waits = pin!(bus.execute(Act::Wait));
        assert!(poll_once(waits.as_mut()).is_pending());
        let running = metrics.snapshot();
        assert_eq!(running.routes()[0].in_flight(), 1);
    });
    let late = Context::new().timeout(Duration::from_millis(1));
    assert!(bus.execute_blocking_with(Act::Wait, late).is_err());

    let snapshot = metrics.snapshot();
    let act = snapshot.route("act").expect("registered");
    assert_eq!((act.name(), act.kind()), ("act", "command"));
    assert_eq!((act.count(), act.replies(), act.failed()), (12, 2, 10));
    assert_eq!(act.in_flight(), 0);
    for kind in ErrorKind::ALL {
        let expected = match kind {
            ErrorKind::Rejected
            | ErrorKind::Invalid
            | ErrorKind::Unclassified
            | ErrorKind::Panicked
            // One was dropped by its caller, and one by the bus when late, so the layer saw neither
            // end.
            | ErrorKind::Dropped => 2,
            _ => 0,
        };
        assert_eq!(act.failures(*kind), expected, "{}", kind.code());
    }
    let table = snapshot.to_string();
    for text in ["route", "act ", "panicked", "dropped"] {
        assert!(table.contains(text), "{table}");
    }
    assert!(!table.contains("overloaded"), "{table}");
}

#[test]
fn a_panic_of_an_inner_layer_is_counted_as_dropped() {
    struct Panics;
    impl<M: Message> Gate<M> for Panics {
        type Pass<'a> = ();
        fn enter(&self, _: &M, _: &Context<'_>) -> Result<(), arcbus::Error<M::Error>> {
            panic!("on purpose")
        }
        fn leave(&self, (): (), _: &Outcome<M>, _: &Context<'_>) {}
    }
    let metrics = Metrics::new();
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .wrap(Gated(Panics))
        .register(Actor::default())
        .build()
        .expect("one handler");
    let dispatch = std::panic::AssertUnwindSafe(|| bus.execute_blocking(Act::Answer(1)));
    assert!(std::panic::catch_unwind(dispatch).is_err());
    let snapshot = metrics.snapshot();
    let act = &snapshot.routes()[0];
    assert_eq!((act.failures(ErrorKind::Dropped), act.in_flight()), (1, 0));
}

#[test]
fn a_panic_of_classify_is_counted_as_dropped() {
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
    let metrics = Metrics::new();
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .register(from_fn(|_: Odd, _: &Context<'_>| {
            Err::<(), _>("odd".to_owned())
        }))
        .build()
        .expect("one name");
    let _ = catch_unwind(AssertUnwindSafe(|| bus.execute_blocking(Odd)));
    let _ = catch_unwind(AssertUnwindSafe(|| block(bus.execute(Odd))));
    let snapshot = metrics.snapshot();
    let odd = &snapshot.routes()[0];
    assert_eq!((odd.failures(ErrorKind::Dropped), odd.in_flight()), (2, 0));
}

#[test]
fn latencies_are_measured_for_replies() {
    let clock = FakeClock::new();
    let metrics = Metrics::new();
    let bus = takes_time(&clock, &metrics);
    let empty = metrics.snapshot();
    let take = &empty.routes()[0];
    assert_eq!(
        (take.mean(), take.max(), take.percentile(0.5)),
        (None, None, None)
    );
    for nanos in [10, 20, 30] {
        assert_eq!(each_lane(&bus, Take(nanos)), [Ok(()), Ok(())]);
    }
    let snapshot = metrics.snapshot();
    let take = &snapshot.routes()[0];
    let nanos = |nanos| Some(Duration::from_nanos(nanos));
    assert_eq!((take.mean(), take.max()), (nanos(20), nanos(30)));
    assert_eq!(take.mean_of_replies(), nanos(20));
    assert_eq!(take.reply_time(), Duration::from_nanos(120));
    assert_eq!(take.percentile(0.0), nanos(10));
    assert_eq!(take.percentile(0.5), nanos(20));
    assert_eq!(take.percentile(1.0), nanos(30));
    assert_eq!(take.percentile(7.0), nanos(30));
    assert_eq!(take.percentile(f64::NAN), nanos(10));
}

#[test]
fn means_cover_all_dispatches_replies_and_failures() {
    let clock = FakeClock::new();
    let metrics = Metrics::new();
    let bus = takes_time(&clock, &metrics);
    let nanos = |nanos| Some(Duration::from_nanos(nanos));
    assert!(each_lane(&bus, Take(71)).iter().all(Result::is_err));
    let snapshot = metrics.snapshot();
    let take = &snapshot.routes()[0];
    assert_eq!((take.mean(), take.mean_of_replies()), (nanos(71), None));

    for replied in [10, 20] {
        assert_eq!(each_lane(&bus, Take(replied)), [Ok(()), Ok(())]);
    }
    let snapshot = metrics.snapshot();
    let take = &snapshot.routes()[0];
    assert_eq!((take.replies(), take.failed()), (4, 2));
    assert_eq!(take.mean_of_replies(), nanos(15));
    assert_eq!(take.mean_of_failures(), nanos(71));
    assert_eq!(take.mean(), nanos((60 + 142) / 6));
    assert_eq!(take.failure_time(), Duration::from_nanos(142));
    assert_eq!(take.max(), nanos(20), "of the replies");
}

#[test]
fn a_dropped_dispatch_took_until_its_drop() {
    let clock = FakeClock::new();
    let metrics = Metrics::new();
    let builder = builder(&clock).layer(metrics.layer());
    let bus = builder.register(Actor::default()).build().expect("sound");
    let mut waits = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(waits.as_mut()).is_pending());
    clock.advance(Duration::from_millis(7));
    drop(waits);
    let snapshot = metrics.snapshot();
    let act = &snapshot.routes()[0];
    assert_eq!(act.failures(ErrorKind::Dropped), 1);
    assert_eq!(act.mean_of_failures(), Some(Duration::from_millis(7)));
}

#[test]
fn the_histogram_is_public_and_adds_up() {
    let clock = FakeClock::new();
    let metrics = Metrics::new();
    let bus = takes_time(&clock, &metrics);
    let took = [0, 2, 30, 32, 34, 1000, 1_000_000, 1 << 36, (1 << 40) + 2];
    for nanos in took {
        assert_eq!(bus.execute_blocking(Take(nanos)), Ok(()));
    }
    let snapshot = metrics.snapshot();
    let take = &snapshot.routes()[0];
    let buckets: Vec<_> = take.buckets().collect();
    let counted: u64 = buckets.iter().map(|bucket| bucket.count).sum();
    assert_eq!((counted, take.replies()), (9, 9));
    assert_eq!(take.reply_time(), Duration::from_nanos(took.iter().sum()));

    let (last, bounded) = buckets.split_last().expect("there are some");
    assert_eq!((last.upper_bound, last.count), (None, 2));
    let bounds: Vec<_> = bounded
        .iter()
        .map(|it| it.upper_bound.expect("bounded"))
        .collect();
    assert!(bounds.is_sorted_by(|one, next| one < next));
    assert_eq!(bounds.last(), Some(&Duration::from_nanos((1 << 36) - 1)));
    for nanos in took.into_iter().filter(|nanos| *nanos < 1 << 36) {
        let bucket = bounds.partition_point(|bound| bound.as_nanos() < u128::from(nanos));
        assert!(bounded[bucket].count > 0, "{nanos}");
        let above = bounds[bucket].as_nanos() as u64 - nanos;
        assert!(above <= nanos / 16, "{nanos} in {bucket}");
    }
}

#[test]
fn a_total_adds_up_all_routes() {
    let clock = FakeClock::new();
    let metrics = Metrics::new();
    let (moved, builder) = (clock.clone(), builder(&clock).layer(metrics.layer()));
    let take = move |msg: Take, _: &Context<'_>| {
        moved.advance(Duration::from_nanos(msg.0));
        Ok(())
    };
    let bus = builder
        .register(from_fn(take))
        .register(Actor::default())
        .build()
        .expect("sound");
    for nanos in [100, 300] {
        assert_eq!(bus.execute_blocking(Take(nanos)), Ok(()));
    }
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert!(bus.execute_blocking(Act::Fail).is_err());

    let snapshot = metrics.snapshot();
    let total = snapshot.total();
    assert_eq!((total.name(), total.kind()), ("total", "all"));
    assert_eq!((total.count(), total.replies(), total.failed()), (4, 3, 1));
    assert_eq!(total.failures(ErrorKind::Unclassified), 1);
    assert_eq!(total.replies_from(Source::Handler), 3);
    assert_eq!(total.reply_time(), Duration::from_nanos(400));
    assert_eq!(total.max(), Some(Duration::from_nanos(300)));
    assert_eq!(total.buckets().map(|bucket| bucket.count).sum::<u64>(), 3);
    assert_eq!(total.percentile(1.0), total.max());
    let table = snapshot.to_string();
    assert!(
        table.lines().any(|line| line.starts_with("total ")),
        "{table}"
    );
    assert_eq!(Metrics::new().snapshot().total().count(), 0);
}

#[test]
fn a_stack_reads_the_clock_twice() {
    let clock = FakeClock::new();
    let (outer, inner) = (Metrics::new(), Metrics::new());
    let bus = builder(&clock)
        .layer(outer.layer())
        .layer(inner.layer())
        .register(Actor::default())
        .build()
        .expect("one handler");
    let before = clock.reads();
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(clock.reads() - before, 2);
    assert_eq!(inner.snapshot().routes()[0].replies(), 1);
}

#[test]
fn a_route_of_two_buses_or_two_registrations_is_counted_together() {
    let metrics = Metrics::new();
    let open = || {
        let builder = CommandBus::builder().layer(metrics.layer());
        builder.register(Actor::default()).open().expect("sound")
    };
    let ((first, registrar), (second, _)) = (open(), open());
    let answer = |bus: &CommandBus| bus.execute_blocking(Act::Answer(1));
    assert_eq!((answer(&first), answer(&second)), (Ok(1), Ok(1)));
    drop(registrar.deregister::<Act>().expect("registered"));
    registrar.must_register(Actor::default());
    assert_eq!(answer(&first), Ok(1));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.routes().len(), 1);
    assert_eq!(snapshot.routes()[0].count(), 3);
    assert_eq!(format!("{metrics:?}"), r#"{"act"}"#);
}

/// Uses more threads than have their own cells, one after the other and at once.
#[test]
fn no_count_is_lost_between_threads() {
    const THREADS: u64 = 150;
    const EACH: u64 = 20;
    let metrics = Metrics::new();
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .register(Actor::default())
        .build()
        .expect("one handler");
    let dispatches = || {
        for _ in 0..EACH {
            assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
        }
    };
    for _ in 0..2 {
        let barrier = std::sync::Barrier::new(THREADS as usize);
        thread::scope(|scope| {
            for _ in 0..THREADS {
                scope.spawn(|| {
                    barrier.wait();
                    dispatches();
                    let snapshot = metrics.snapshot();
                    let act = &snapshot.routes()[0];
                    assert_eq!(act.count(), act.replies() + act.failed());
                });
            }
        });
    }
    let snapshot = metrics.snapshot();
    let act = &snapshot.routes()[0];
    assert_eq!((act.replies(), act.in_flight()), (2 * THREADS * EACH, 0));
}

#[test]
fn the_memory_of_metrics_matches_the_docs() {
    let of_16_threads_and_100_routes = MEMORY_PER_THREAD_AND_ROUTE * 16 * 100;
    assert!((6_500_000..7_500_000).contains(&of_16_threads_and_100_routes));
}

#[test]
fn no_snapshot_sees_more_substitutes_than_replies() {
    const DISPATCHES: u64 = 300_000;
    let metrics = Metrics::new();
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .layer(Fallback::value(7))
        .register(Actor::default())
        .build()
        .expect("sound");
    let of_handler = || {
        let snapshot = metrics.snapshot();
        let route = snapshot.route("act").expect("registered");
        (route.replies_from(Source::Handler), route.replies())
    };
    thread::scope(|scope| {
        let dispatching = scope.spawn(|| {
            for _ in 0..DISPATCHES {
                assert_eq!(bus.execute_blocking(Act::Fail), Ok(7));
            }
        });
        while !dispatching.is_finished() {
            // An underflow below zero would give a number above the total.
            assert!(of_handler().0 <= DISPATCHES);
        }
    });
    assert_eq!(of_handler(), (0, DISPATCHES));
}
