//! Messages without a handler: every handle and lane counts them, and the metrics of the bus show
//! them.

use arcbus::ErrorKind;
use arcbus::metrics::Metrics;
use arcbus::{CommandBus, Context, Message, Query, QueryBus, from_fn};

use crate::acts::{Act, Actor, block, ready};

/// A command without a handler.
#[derive(Clone)]
struct Lost;

impl Message for Lost {
    const NAME: &'static str = "lost";
    type Kind = arcbus::Command;
    type Reply = ();
    type Error = String;
}

fn not_found<T, E>(outcome: Result<T, arcbus::Error<E>>) {
    assert!(outcome.is_err_and(|error| error.is_handler_not_found()));
}

#[test]
fn metrics_show_a_message_without_a_handler() {
    let metrics = Metrics::new();
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .register(Actor::default())
        .build()
        .expect("sound");
    not_found(bus.execute_blocking(Lost));
    not_found(block(bus.execute(Lost)));
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    let snapshot = metrics.snapshot();
    let lost = snapshot.route("lost").expect("counted by the bus");
    assert_eq!(
        (lost.kind(), lost.count(), lost.replies()),
        ("command", 2, 0)
    );
    assert_eq!(lost.failures(ErrorKind::HandlerNotFound), 2);
    assert_eq!(lost.in_flight(), 0);
    assert!(snapshot.to_string().contains("handler_not_found"));
}

#[test]
fn a_deregistered_route_goes_on_counting_under_its_name() {
    let metrics = Metrics::new();
    let (bus, registrar) = CommandBus::builder()
        .layer(metrics.layer())
        .register(Actor::default())
        .open()
        .expect("sound");
    let mut route = bus.route::<Act>().expect("registered");
    assert_eq!(route.execute_blocking(Act::Answer(1)), Ok(1));
    drop(registrar.deregister::<Act>().expect("registered"));
    not_found(route.execute_blocking(Act::Answer(1)));
    not_found(ready(route.execute(Act::Answer(1))).expect("ready"));
    let snapshot = metrics.snapshot();
    assert_eq!(snapshot.routes().len(), 1);
    let act = snapshot.route("act").expect("registered");
    assert_eq!((act.count(), act.replies()), (3, 1));
    assert_eq!(act.failures(ErrorKind::HandlerNotFound), 2);
}

#[test]
fn every_handle_counts_in_each_lane() {
    let (bus, registrar) = CommandBus::builder()
        .register(Actor::default())
        .open()
        .expect("sound");
    let mut route = bus.route::<Act>().expect("registered");
    drop(registrar.deregister::<Act>().expect("registered"));
    let act = || Act::Answer(1);
    let mut local = bus.local();
    let cx = Context::new();

    not_found(bus.execute_blocking(act()));
    not_found(bus.execute_blocking_with(act(), cx.clone()));
    not_found(block(bus.execute(act())));
    not_found(block(bus.execute_with(act(), cx.clone())));
    not_found(local.execute_blocking(act()));
    not_found(block(local.execute(act())));
    not_found(route.execute_blocking(act()));
    not_found(block(route.execute(act())));
    bus.execute_batch_blocking([act(), act()])
        .into_iter()
        .for_each(not_found);
    block(bus.execute_batch([act(), act()]))
        .into_iter()
        .for_each(not_found);
    not_found(bus.execute_blocking(Lost));

    let counts: Vec<_> = bus.clone().unhandled();
    let counts: Vec<_> = counts
        .iter()
        .map(|(it, count)| (it.name(), *count))
        .collect();
    assert_eq!(counts, [("act", 12), ("lost", 1)]);
}

#[test]
fn a_dispatch_that_was_never_polled_is_not_counted() {
    let bus = CommandBus::builder().build().expect("sound");
    let token = arcbus::CancelToken::new();
    token.cancel();
    let cx = Context::new().cancel_on(token);
    let outcome = bus.execute_blocking_with(Lost, cx);
    assert!(outcome.is_err_and(|error| error.is_cancelled()));
    drop(bus.execute(Lost)); // never polled
    assert_eq!(bus.unhandled(), []);
}

#[test]
fn a_message_whose_handler_comes_later_is_counted_apart() {
    let metrics = Metrics::new();
    let (bus, registrar) = CommandBus::builder()
        .layer(metrics.layer())
        .open()
        .expect("sound");
    not_found(bus.execute_blocking(Act::Answer(1)));
    registrar.must_register(Actor::default());
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    let snapshot = metrics.snapshot();
    let act = snapshot.route("act").expect("registered");
    assert_eq!((act.replies(), act.failed()), (1, 1));
    assert_eq!(bus.unhandled().len(), 1);
}

#[test]
fn a_nested_dispatch_counts_on_its_own_bus() {
    struct Ask;
    impl Message for Ask {
        const NAME: &'static str = "ask";
        type Kind = Query;
        type Reply = ();
        type Error = String;
    }
    let (inner, outer) = (
        QueryBus::builder().build().expect("sound"),
        CommandBus::builder(),
    );
    let asked = inner.clone();
    let outer = outer
        .register(from_fn(move |_: Lost, cx: &Context<'_>| {
            asked
                .execute_blocking_in(cx, Ask)
                .map_err(|error| error.to_string())
        }))
        .build()
        .expect("sound");
    assert!(
        outer
            .execute_blocking(Lost)
            .is_err_and(|it| it.is_handler())
    );
    assert_eq!((inner.unhandled().len(), outer.unhandled().len()), (1, 0));
}

#[test]
fn concurrent_threads_lose_no_count_and_no_type() {
    struct Other;
    impl Message for Other {
        const NAME: &'static str = "other";
        type Kind = arcbus::Command;
        type Reply = ();
        type Error = String;
    }
    const THREADS: u64 = 8;
    const EACH: u64 = 200;
    let bus = CommandBus::builder().build().expect("sound");
    let barrier = std::sync::Barrier::new(THREADS as usize);
    std::thread::scope(|scope| {
        for _ in 0..THREADS {
            scope.spawn(|| {
                barrier.wait();
                for _ in 0..EACH {
                    not_found(bus.execute_blocking(Lost));
                    not_found(bus.execute_blocking(Other));
                }
            });
        }
    });
    let counts = bus.unhandled().into_iter().map(|(_, count)| count);
    assert_eq!(counts.collect::<Vec<_>>(), [THREADS * EACH; 2]);
}

#[test]
fn a_snapshot_has_the_messages_of_every_watched_bus() {
    let metrics = Metrics::new();
    let bus = || {
        CommandBus::builder()
            .layer(metrics.layer())
            .register(Actor::default())
            .build()
            .expect("sound")
    };
    let (first, second) = (bus(), bus());
    not_found(first.execute_blocking(Lost));
    not_found(second.execute_blocking(Lost));
    drop(first);
    let lost = metrics.snapshot().route("lost").map(|lost| lost.count());
    assert_eq!(lost, Some(2));
}
