//! `ProductionLayers`: with all, some and none of its layers, and with settings that are rejected.

use std::time::Duration;

use arcbus::ErrorKind;
use arcbus::metrics::Metrics;
use arcbus::middleware::{
    Bulkhead, CircuitBreaker, ProductionConfig, ProductionLayers, RateLimit, Retry, Timeout,
};
use arcbus::{CommandBus, FakeClock, Layers, Message, NoLayers, Query, QueryBus, from_fn, guard};

use crate::acts::{Act, Actor, Steps, each_lane, layers, poll_once};

const ALL: [&str; 6] = [
    "Metrics",
    "Validation",
    "RateLimit",
    "Bulkhead",
    "CircuitBreaker",
    "Timeout",
];

/// Returns a configuration without the outermost layers, so that the result is independent of the
/// features.
fn untraced() -> ProductionConfig {
    let config = ProductionConfig::new();
    #[cfg(feature = "tracing")]
    let config = config.trace(None);
    config
}

fn everything(metrics: &Metrics) -> ProductionConfig {
    untraced()
        .metrics(metrics.layer())
        .timeout(Timeout::new(Duration::from_secs(1)))
        .rate_limit(RateLimit::per_second(10).burst(4))
        .bulkhead(Bulkhead::new(4))
        .circuit_breaker(CircuitBreaker::consecutive(2))
}

fn bus(clock: &FakeClock, config: ProductionConfig, steps: &Steps) -> CommandBus {
    CommandBus::builder()
        .clock(clock.clone())
        .layers(&ProductionLayers::commands(config))
        .register(Actor(steps.clone()))
        .build()
        .expect("sound")
}

#[test]
fn the_layers_stand_in_the_documented_order() {
    let bus = bus(
        &FakeClock::new(),
        everything(&Metrics::new()),
        &Steps::default(),
    );
    assert_eq!(layers(&bus), ALL);
}

#[test]
fn a_retry_stands_inside_observers_and_outside_limits() {
    let total = Timeout::new(Duration::from_secs(2));
    let retry = Retry::fixed(3, Duration::from_millis(1));
    let stack = ProductionLayers::retrying(everything(&Metrics::new()), total, retry);
    let explained = stack.explain::<Ask>();
    let names: Vec<_> = explained
        .layers()
        .iter()
        .map(|layer| layer.name())
        .collect();
    assert_eq!(names[..2], ALL[..2]);
    assert_eq!(names[2..4], ["Timeout", "Retry"]);
    assert_eq!(names[4..], ALL[2..]);
    assert_eq!(explained.warnings(), []);
    assert_eq!(explained.max_handler_calls(), 3);
    assert_eq!(explained.longest(), Some(Duration::from_secs(2)));
}

/// A message that may be repeated after an error.
#[derive(Clone)]
struct Ask;

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

#[test]
fn a_message_reads_the_clock_twice() {
    let clock = FakeClock::new();
    let bus = bus(&clock, everything(&Metrics::new()), &Steps::default());
    let before = clock.reads();
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads() - before, 4);
}

#[test]
fn every_rejection_is_counted_and_takes_no_inner_permit() {
    let (clock, steps, metrics) = (FakeClock::new(), Steps::default(), Metrics::new());
    let bus = bus(&clock, everything(&metrics), &steps);
    for _ in 0..20 {
        assert!(bus.execute_blocking(Act::Invalid).unwrap_err().is_invalid());
    }
    assert_eq!(steps.take(), "", "and no token is gone:");
    for _ in 0..2 {
        assert!(
            bus.execute_blocking(Act::Fail)
                .unwrap_err()
                .as_handler()
                .is_some()
        );
    }
    for _ in 0..2 {
        assert!(
            bus.execute_blocking(Act::Fail)
                .unwrap_err()
                .is_circuit_open()
        );
    }
    assert!(
        bus.execute_blocking(Act::Fail)
            .unwrap_err()
            .is_rate_limited()
    );
    assert_eq!(steps.take(), "handle handle");
    let snapshot = metrics.snapshot();
    let act = snapshot.route("act").expect("registered");
    let kinds = [
        ErrorKind::Invalid,
        ErrorKind::Unclassified,
        ErrorKind::CircuitOpen,
        ErrorKind::RateLimited,
    ];
    assert_eq!(kinds.map(|kind| act.failures(kind)), [20, 2, 2, 1]);
}

#[test]
fn a_hanging_handler_opens_the_breaker() {
    let clock = FakeClock::new();
    let bus = bus(&clock, everything(&Metrics::new()), &Steps::default());
    for _ in 0..2 {
        let mut hangs = std::pin::pin!(bus.execute(Act::Wait));
        assert!(poll_once(hangs.as_mut()).is_pending());
        clock.advance(Duration::from_secs(1));
        let std::task::Poll::Ready(outcome) = poll_once(hangs.as_mut()) else {
            panic!("it is late");
        };
        assert!(outcome.unwrap_err().is_timeout());
    }
    let refused = bus.execute_blocking(Act::Answer(1)).unwrap_err();
    assert!(refused.is_circuit_open());
}

#[test]
fn every_part_can_be_left_out() {
    let none = untraced()
        .validation(None)
        .timeout(None)
        .circuit_breaker(None);
    let bus = bus(&FakeClock::new(), none, &Steps::default());
    assert!(layers(&bus).is_empty());
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
}

#[test]
fn other_layers_may_stand_around_and_inside_a_preset() {
    struct Ask;
    impl arcbus::Message for Ask {
        const NAME: &'static str = "ask";
        type Kind = Query;
        type Reply = u8;
        type Error = String;
    }
    let pass = || guard(|_: &Ask, _: &arcbus::Context<'_>| Ok(()));
    let stack = ProductionLayers::queries(untraced());
    let bus = QueryBus::builder()
        .scope(|s| {
            let inner = Layers::<NoLayers>::new().wrap(pass());
            s.wrap(pass())
                .layers(&stack)
                .layers(&inner)
                .register(from_fn(|_: Ask, _: &arcbus::Context<'_>| Ok(7)))
        })
        .build()
        .expect("sound");
    let expected = [
        "GuardGate",
        "Validation",
        "CircuitBreaker",
        "Timeout",
        "GuardGate",
    ];
    assert_eq!(layers(&bus), expected);
    assert_eq!(bus.execute_blocking(Ask), Ok(7));
}
