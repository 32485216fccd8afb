//! `Chaos`: injects faults and delays into a given part of the dispatches.

use std::pin::pin;
use std::time::Duration;

use arcbus::middleware::Chaos;
use arcbus::{CommandBus, Context, Error, FakeClock};

use crate::acts::{Act, Actor, Steps, each_lane, poll_once};

fn bus(chaos: Chaos) -> CommandBus {
    let builder = CommandBus::builder().layer(chaos);
    builder.register(Actor::default()).build().expect("sound")
}

#[test]
fn equal_seeds_make_equal_faults() {
    let outcomes = |seed| {
        let bus = bus(Chaos::seeded(seed).failures(0.3).panics(0.3));
        let outcomes = (0..50).map(|_| bus.execute_blocking(Act::Answer(1)));
        outcomes.collect::<Vec<_>>()
    };
    let first = outcomes(5);
    assert_eq!(first, outcomes(5));
    assert_ne!(first, outcomes(6));
    for kind in [
        Result::is_ok,
        |outcome: &Result<_, Error<_>>| matches!(outcome, Err(error) if error.is_panicked()),
    ] {
        assert!(first.iter().any(kind));
    }
}

#[test]
fn an_injected_fault_does_not_reach_the_handler() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(
            Chaos::seeded(1)
                .failures(1.0)
                .error(|| Error::Handler("chaos".to_owned())),
        )
        .register(Actor(steps.clone()))
        .build()
        .expect("sound");
    let failed = Err(Error::Handler("chaos".to_owned()));
    assert_eq!(each_lane(&bus, Act::Answer(1)), [failed.clone(), failed]);
    assert_eq!(steps.take(), "");
}

#[test]
fn a_delay_is_waited_for_on_the_clock_of_the_bus() {
    let fake = FakeClock::new();
    let steps = Steps::default();
    let latency = Duration::from_secs(5);
    let bus = CommandBus::builder()
        .clock(fake.clone())
        .layer(Chaos::seeded(1).latency(1.0, latency))
        .register(Actor(steps.clone()))
        .build()
        .expect("sound");
    let mut dispatch = pin!(bus.execute(Act::Answer(4)));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    fake.advance(latency - Duration::from_nanos(1));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert_eq!(steps.take(), "");
    fake.advance(Duration::from_nanos(1));
    assert_eq!(poll_once(dispatch.as_mut()), std::task::Poll::Ready(Ok(4)));
}

#[test]
fn a_delay_ends_with_the_deadline() {
    let fake = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(fake.clone())
        .layer(Chaos::seeded(1).latency(1.0, Duration::from_secs(5)))
        .register(Actor::default())
        .build()
        .expect("sound");
    let cx = Context::new().timeout(Duration::from_secs(1));
    let mut dispatch = pin!(bus.execute_with(Act::Answer(4), cx));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    fake.advance(Duration::from_secs(1));
    let std::task::Poll::Ready(outcome) = poll_once(dispatch.as_mut()) else {
        panic!("it is late");
    };
    assert!(outcome.unwrap_err().is_timeout());
}
