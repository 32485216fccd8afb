//! The owner of the limit that ended a dispatch, in both lanes.

use std::time::Duration;

use arcbus::middleware::{CircuitBreaker, RateLimit, Timeout};
use arcbus::{
    BusBuilder, Context, Error, FakeClock, Handler, Message, Outcome, Phase, Query, QueryBus,
    Stack, TimeLimit, from_async_fn,
};

use crate::acts::{poll_once, ready};
use crate::hasty::{Backend, Call, HANGS, LANES, MS, call, rig, send, within};

fn ended(phase: Phase, ms: u32, limit: TimeLimit) -> Outcome<Call> {
    Err(Error::Timeout {
        phase,
        elapsed: MS * ms,
        limit,
    })
}

fn stopped(ms: u32, limit: TimeLimit) -> Outcome<Call> {
    ended(Phase::Indeterminate, ms, limit)
}

/// Asserts the error of a call that hangs, in both lanes.
#[track_caller]
fn assert_ended<S: Stack<Call>>(
    layers: impl Fn(BusBuilder<Query>) -> BusBuilder<Query, S>,
    cx: &Context<'_>,
    expected: &Outcome<Call>,
) {
    for lane in LANES {
        let outcome = rig(&layers).send(lane, call(HANGS), cx.clone());
        assert_eq!(&outcome, expected, "{lane:?}");
    }
}

#[test]
fn the_earlier_of_the_callers_and_a_layers_limit_ends_a_dispatch() {
    let layer = |bus: BusBuilder<Query>| bus.layer(Timeout::new(MS * 5));
    assert_ended(layer, &within(4), &stopped(4, TimeLimit::Caller));
    assert_ended(layer, &within(6), &stopped(5, TimeLimit::Layer));
    assert_ended(layer, &Context::new(), &stopped(5, TimeLimit::Layer));
    let none = |bus| bus;
    assert_ended(none, &within(4), &stopped(4, TimeLimit::Caller));
}

#[test]
fn the_callers_limit_counts_if_both_fall_on_one_moment() {
    let layer = |bus: BusBuilder<Query>| bus.layer(Timeout::new(MS * 5));
    assert_ended(layer, &within(5), &stopped(5, TimeLimit::Caller));
    let two = |bus: BusBuilder<Query>| layer(bus).layer(Timeout::new(MS * 5));
    assert_ended(two, &within(5), &stopped(5, TimeLimit::Caller));
}

/// The ticks of a clock are odd as well as even.
#[test]
fn an_odd_nanosecond_decides_nothing() {
    for (layer, caller, limit) in [
        (4_000_001, 4_000_001, TimeLimit::Caller),
        (4_000_003, 4_000_001, TimeLimit::Caller),
        (3_999_999, 4_000_001, TimeLimit::Layer),
        (4_000_001, 9_000_001, TimeLimit::Layer),
    ] {
        for lane in LANES {
            let nanos = Duration::from_nanos;
            let rig = rig(|bus| bus.layer(Timeout::new(nanos(layer))));
            rig.clock.advance(nanos(1));
            let cx = Context::new().timeout(nanos(caller));
            let outcome = rig.send(lane, call(HANGS), cx);
            let Err(Error::Timeout { limit: of, .. }) = outcome else {
                panic!("{outcome:?}");
            };
            assert_eq!(of, limit, "{lane:?} {layer} {caller}");
        }
    }
}

#[test]
fn the_earliest_limit_of_nested_layers_ends_a_dispatch() {
    let layers = |outer: u32, inner: u32| {
        move |bus: BusBuilder<Query>| {
            bus.layer(Timeout::new(MS * outer))
                .layer(Timeout::new(MS * inner))
        }
    };
    for (outer, inner) in [(3, 7), (7, 3)] {
        let by_layer = stopped(3, TimeLimit::Layer);
        assert_ended(layers(outer, inner), &within(5), &by_layer);
        assert_ended(layers(outer, inner), &Context::new(), &by_layer);
        let by_caller = stopped(2, TimeLimit::Caller);
        assert_ended(layers(outer, inner), &within(2), &by_caller);
    }
}

/// The dispatch is polled only after all limits have passed.
#[test]
fn a_late_wake_reports_the_earliest_limit() {
    let clock = FakeClock::new();
    let bus = |outer, inner| {
        QueryBus::builder()
            .clock(clock.clone())
            .layer(Timeout::new(MS * outer))
            .layer(Timeout::new(MS * inner))
            .register(from_async_fn(async |_: Call, _: &Context<'_>| {
                std::future::pending().await
            }))
            .build()
            .expect("in range")
    };
    for (outer, inner, caller, limit) in [
        (10, 500, 30, TimeLimit::Layer),
        (500, 10, 30, TimeLimit::Layer),
        (500, 30, 10, TimeLimit::Caller),
        (30, 500, 10, TimeLimit::Caller),
    ] {
        let bus = bus(outer, inner);
        let mut dispatch = Box::pin(bus.execute_with(call(HANGS), within(caller)));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        clock.advance(MS * 100);
        assert_eq!(ready(dispatch), Some(stopped(100, limit)));
    }
}

#[test]
fn a_layer_in_its_grace_ends_the_dispatch_itself() {
    let grace = |bus: BusBuilder<Query>| bus.layer(Timeout::new(MS * 3).grace(MS * 9));
    assert_ended(grace, &Context::new(), &stopped(12, TimeLimit::Layer));
    assert_ended(grace, &within(6), &stopped(6, TimeLimit::Layer));
    assert_ended(grace, &within(3), &stopped(3, TimeLimit::Caller));
}

#[test]
fn a_dispatch_late_before_its_start_names_the_owner_of_the_limit() {
    let mut slept = rig(|bus| bus.layer(Timeout::new(MS * 5)));
    let late = Context::new().deadline(slept.clock.now());
    slept.clock.advance(MS * 2);
    for lane in LANES {
        let outcome = slept.send(lane, call(1), late.clone());
        assert_eq!(outcome, ended(Phase::NotStarted, 2, TimeLimit::Caller));
    }
    slept = rig(|bus| {
        let none = |_: &Call, _: &Context<'_>| Some(Duration::ZERO);
        bus.layer(Timeout::new(MS * 5).per_message(none))
    });
    for lane in LANES {
        let outcome = slept.send(lane, call(1), Context::new());
        assert_eq!(outcome, ended(Phase::NotStarted, 0, TimeLimit::Layer));
    }
}

#[test]
fn a_wait_for_a_turn_names_the_owner_of_the_limit() {
    for (layer, caller, limit) in [(9, 90, TimeLimit::Layer), (90, 9, TimeLimit::Caller)] {
        let queue = RateLimit::new(1, MS * 5).burst(1).wait_at_most(MS * 50);
        let rig = rig(|bus| bus.layer(Timeout::new(MS * layer)).layer(queue));
        assert_eq!(rig.send(LANES[0], call(0), Context::new()), Ok(0));
        let mut waits = Box::pin(rig.bus.execute_with(call(0), within(caller)));
        assert!(poll_once(waits.as_mut()).is_pending());
        rig.clock.advance(MS * 200);
        assert_eq!(ready(waits), Some(ended(Phase::NotStarted, 200, limit)));
    }
}

/// A handler that calls the backend in its own context.
#[derive(Clone, Copy, Debug)]
struct Relay;

impl Message for Relay {
    const NAME: &'static str = "relay";
    type Kind = Query;
    type Reply = u32;
    type Error = Error<String>;
}

struct Relays {
    inner: QueryBus,
    patience: Option<Duration>,
}

impl Handler<Relay> for Relays {
    async fn handle(&self, _msg: Relay, cx: &Context<'_>) -> Result<u32, Error<String>> {
        let cx = match self.patience {
            Some(patience) => cx.derive().timeout(patience),
            None => cx.derive(),
        };
        self.inner.execute_with(call(HANGS), cx).await
    }
}

/// A handler is the caller of its nested dispatch, and passes on all its limits.
#[test]
fn limits_of_an_outer_dispatch_are_the_callers_in_a_nested_dispatch() {
    for (outer, inner, caller, patience, expected) in [
        (5, None, None, None, stopped(5, TimeLimit::Caller)),
        (9, Some(4), None, None, stopped(4, TimeLimit::Layer)),
        (4, Some(9), None, None, stopped(4, TimeLimit::Caller)),
        (9, Some(4), Some(3), None, stopped(3, TimeLimit::Caller)),
        (9, Some(4), Some(8), Some(2), stopped(2, TimeLimit::Caller)),
        (9, Some(4), Some(8), Some(6), stopped(4, TimeLimit::Layer)),
    ] {
        for lane in LANES {
            let clock = FakeClock::new();
            let builder = || QueryBus::builder().clock(clock.clone());
            let inner = builder()
                .layer(inner.map(|inner| Timeout::new(MS * inner)))
                .register(Backend {
                    clock: clock.clone(),
                    moves: true,
                })
                .build()
                .expect("in range");
            let patience = patience.map(|patience| MS * patience);
            let bus = builder()
                .layer(CircuitBreaker::consecutive(1))
                .layer(Timeout::new(MS * outer).grace(MS * 100))
                .register(Relays { inner, patience })
                .build()
                .expect("in range");
            let cx = caller.map_or(Context::new(), within);
            let told = send(&bus, lane, Relay, cx);
            assert_eq!(told, expected.clone().map_err(Error::Handler), "{lane:?}");
        }
    }
}
