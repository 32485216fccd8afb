//! Policies with shared state and their peers, which two threads use concurrently.

use std::hint::black_box;
use std::num::NonZeroU32;
use std::thread;

use arcbus::metrics::Metrics;
use arcbus::middleware::{Bulkhead, CircuitBreaker, RateLimit};
use arcbus::{BusBuilder, Query, QueryBus, Stack};
use failsafe::CircuitBreaker as _;
use governor::{Quota, RateLimiter};
use recloser::Recloser;

use crate::PLENTY;
use crate::cases::rounds::Cases;
use crate::cases::{Adder, Pair, answered, pair};
use crate::ours::{count_window, time_window};

const THREADS: usize = 2;
/// Multiple of the calls of other cases, so that the start of a thread does not count.
pub(crate) const RUNS: u64 = 20;

/// Returns every case of the group `contended`: a call of one thread while another thread makes
/// such calls, too.
#[must_use]
pub fn contended() -> Cases<'static> {
    let mut cases = Cases::default();
    ours(&mut cases);
    peers(&mut cases);
    cases
}

fn ours(cases: &mut Cases<'_>) {
    let consecutive = CircuitBreaker::consecutive(5);
    let limit = RateLimit::per_second(PLENTY);
    add(cases, "none", QueryBus::builder());
    add(
        cases,
        "breaker_consecutive",
        QueryBus::builder().layer(consecutive),
    );
    add(
        cases,
        "breaker_window",
        QueryBus::builder().layer(count_window()),
    );
    add(
        cases,
        "breaker_time_window",
        QueryBus::builder().layer(time_window()),
    );
    add(cases, "rate_limit", QueryBus::builder().layer(limit));
    add(
        cases,
        "bulkhead",
        QueryBus::builder().layer(Bulkhead::new(64)),
    );
    add(
        cases,
        "metrics",
        QueryBus::builder().layer(Metrics::new().layer()),
    );
}

fn peers(cases: &mut Cases<'_>) {
    let adder = Adder(7);
    let recloser = Recloser::custom().error_rate(0.5).closed_len(100).build();
    add_call(cases, "peer_recloser", {
        let adder = adder.clone();
        move || answered(recloser.call(|| adder.add(pair())))
    });
    let failsafe = failsafe::Config::new().build();
    add_call(cases, "peer_failsafe", {
        let adder = adder.clone();
        move || answered(failsafe.call(|| adder.add(pair())))
    });
    let plenty = NonZeroU32::new(PLENTY).expect("not zero");
    let governor = RateLimiter::direct(Quota::per_second(plenty));
    add_call(cases, "peer_governor", move || {
        governor.check().map(|()| answered(adder.add(pair())))
    });
    let permits = tokio::sync::Semaphore::new(64);
    add_call(cases, "peer_tokio_semaphore", move || {
        permits
            .try_acquire()
            .map(|_permit| answered(Adder(7).add(pair())))
    });
}

/// Adds a case that dispatches on the bus of `builder`, where each thread uses a route of its own.
fn add<S: Stack<Pair>>(cases: &mut Cases<'_>, name: &'static str, builder: BusBuilder<Query, S>) {
    let bus = builder.register::<Pair, _>(Adder(7)).build();
    let bus = bus.expect("one handler, sound settings");
    cases.add_run(name, move |calls| {
        on_threads(|| {
            let mut route = bus.route::<Pair>().expect("registered");
            for _ in 0..calls * RUNS {
                black_box(answered(route.execute_blocking(pair())));
            }
        });
    });
}

fn add_call<T>(cases: &mut Cases<'_>, name: &'static str, call: impl Fn() -> T + Sync + 'static) {
    cases.add_run(name, move |calls| {
        on_threads(|| {
            for _ in 0..calls * RUNS {
                black_box(call());
            }
        });
    });
}

pub(crate) fn on_threads(work: impl Fn() + Sync) {
    thread::scope(|scope| (0..THREADS).for_each(|_| drop(scope.spawn(&work))));
}
