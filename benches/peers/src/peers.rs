//! Cases with the policies of other crates, around equal work.

use std::fmt::Debug;
use std::hint::black_box;
use std::num::NonZeroU32;
use std::task::{Context as Task, Waker};
use std::time::Duration;

use failsafe::CircuitBreaker as _;
use governor::{Quota, RateLimiter};
use recloser::Recloser;
use tower::util::BoxService;
use tower::{Layer, Service, service_fn};
use tower_resilience::bulkhead::BulkheadLayer;
use tower_resilience::circuitbreaker::CircuitBreakerLayer;
use tower_resilience::ratelimiter::RateLimiterLayer;
use tower_resilience::timelimiter::TimeLimiterLayer;

use crate::PLENTY;
use crate::cases::rounds::Cases;
use crate::cases::{Adder, Pair, Refused, answered, now, pair};

pub fn peer_policies(cases: &mut Cases<'_>) {
    libraries(cases);
    tower(cases);
}

/// Adds the policies that need no service around them.
fn libraries(cases: &mut Cases<'_>) {
    let adder = black_box(Adder(7));
    let recloser = Recloser::custom().error_rate(0.5).closed_len(100).build();
    cases.add("peer_recloser", {
        let adder = adder.clone();
        move || answered(recloser.call(|| adder.add(pair())))
    });
    let failsafe = failsafe::Config::new().build();
    cases.add("peer_failsafe", {
        let adder = adder.clone();
        move || answered(failsafe.call(|| adder.add(pair())))
    });
    let governor = RateLimiter::direct(Quota::per_second(plenty()));
    cases.add("peer_governor", move || {
        governor.check().map(|()| answered(adder.add(pair())))
    });
}

/// Adds layers around a boxed service, where the cost of a layer is the difference to the boxed
/// service alone. They are polled within a tokio runtime, whose timers they use.
fn tower(cases: &mut Cases<'_>) {
    let breaker = CircuitBreakerLayer::builder()
        .failure_rate_threshold(0.5)
        .sliding_window_size(100)
        .minimum_number_of_calls(100)
        .slow_call_duration_threshold(Duration::from_millis(100))
        .build()
        .expect("sound settings");
    let bulkhead = BulkheadLayer::builder()
        .max_concurrent_calls(64)
        .build()
        .expect("sound settings");
    let limiter = RateLimiterLayer::builder()
        .limit_for_period(PLENTY as usize)
        .refresh_period(Duration::from_secs(1))
        .build()
        .expect("sound settings");
    let timeout = TimeLimiterLayer::builder()
        .timeout_duration(Duration::from_secs(30))
        .build();
    let work = || service_fn(adds);
    add(cases, "peer_tower_noop", work());
    add(
        cases,
        "peer_tower_resilience_breaker",
        breaker.layer(work()),
    );
    add(
        cases,
        "peer_tower_resilience_bulkhead",
        bulkhead.layer(work()),
    );
    add(
        cases,
        "peer_tower_resilience_ratelimiter",
        limiter.layer(work()),
    );
    add(
        cases,
        "peer_tower_resilience_timelimiter",
        timeout.layer(work()),
    );
}

/// Adds a case that calls `service`, which is boxed first.
pub(crate) fn add<S>(cases: &mut Cases<'_>, name: &'static str, service: S)
where
    S: Service<Pair, Response = u64> + Send + 'static,
    S::Future: Send + 'static,
    S::Error: Debug + 'static,
{
    let mut service = BoxService::new(service);
    cases.add(name, move || {
        let mut task = Task::from_waker(Waker::noop());
        assert!(service.poll_ready(&mut task).is_ready());
        answered(now(service.call(pair())))
    });
}

async fn adds(msg: Pair) -> Result<u64, Refused> {
    Adder(7).add(msg)
}

fn plenty() -> NonZeroU32 {
    NonZeroU32::new(PLENTY).expect("not zero")
}
