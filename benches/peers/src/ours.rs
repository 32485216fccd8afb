//! Cases with a single layer of arcbus, all around one handler.

use std::hint::black_box;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{
    AdaptiveLimit, Authorize, Bulkhead, CircuitBreaker, RateLimit, Timeout, Trace, Validation,
};
use arcbus::{BusBuilder, Context, Message, MessageType, Query, QueryBus, Stack};

use crate::cases::rounds::Cases;
use crate::cases::{Adder, Pair, answered, pair};
use crate::{LATER, PLENTY};

/// Adds a case that dispatches on the bus of `builder`.
fn add<S: Stack<Pair>>(cases: &mut Cases<'_>, name: &'static str, builder: BusBuilder<Query, S>) {
    let bus = builder.register::<Pair, _>(Adder(7)).build();
    let bus = bus.expect("one handler, sound settings");
    let mut route = bus.route::<Pair>().expect("registered");
    cases.add(name, move || answered(route.execute_blocking(pair())));
}

/// Adds a case in which a layer refuses every dispatch.
fn add_refused<S: Stack<Pair>>(
    cases: &mut Cases<'_>,
    name: &'static str,
    builder: BusBuilder<Query, S>,
) {
    let bus = builder.register::<Pair, _>(Adder(7)).build();
    let bus = bus.expect("one handler, sound settings");
    let mut route = bus.route::<Pair>().expect("registered");
    cases.add(name, move || route.execute_blocking(pair()).is_err());
}

/// Returns a breaker over the last hundred calls, like recloser's. Ours also times the calls.
pub(crate) fn count_window() -> CircuitBreaker {
    CircuitBreaker::count_window(100).slow_calls(LATER, 0.5)
}

pub(crate) fn time_window() -> CircuitBreaker {
    CircuitBreaker::time_window(Duration::from_secs(10)).slow_calls(LATER, 0.5)
}

pub fn our_policies(cases: &mut Cases<'_>) {
    let bus = QueryBus::builder;
    let clock = quanta::Clock::new();
    add(cases, "none", bus());
    cases.add("clock_read", move || {
        black_box(clock.delta_as_nanos(0, clock.raw()))
    });
    add(cases, "validation", bus().layer(Validation::new()));
    add(cases, "timeout", bus().layer(Timeout::new(LATER)));
    let consecutive = CircuitBreaker::consecutive(5);
    add(cases, "breaker_consecutive", bus().layer(consecutive));
    add(cases, "breaker_window", bus().layer(count_window()));
    add(cases, "breaker_time_window", bus().layer(time_window()));
    let open = CircuitBreaker::consecutive(1);
    let handles = open.handles();
    add_refused(cases, "breaker_open", bus().layer(open));
    handles.get(Pair::NAME).expect("registered").force_open();
    add(
        cases,
        "rate_limit",
        bus().layer(RateLimit::per_second(PLENTY)),
    );
    add(cases, "bulkhead", bus().layer(Bulkhead::new(64)));
    add(cases, "adaptive", bus().layer(AdaptiveLimit::vegas()));
    add(cases, "metrics", bus().layer(Metrics::new().layer()));
    add(cases, "trace_off", bus().layer(Trace::new()));
    let everybody = |_: MessageType, _: &Context<'_>| Ok(());
    add(cases, "authorize", bus().layer(Authorize::new(everybody)));
    let stack = bus()
        .layer(Metrics::new().layer())
        .layer(Timeout::new(LATER))
        .layer(RateLimit::per_second(PLENTY))
        .layer(Bulkhead::new(64))
        .layer(count_window())
        .layer(Validation::new());
    add(cases, "production_stack", stack);
}
