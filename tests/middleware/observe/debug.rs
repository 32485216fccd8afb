//! The `{:?}` output of layers and policies: named settings and the state, in units that people
//! read.

use std::fmt::Debug;
use std::task::Waker;
use std::time::Duration;

use arcbus::middleware::bulkhead::BulkheadPolicy;
use arcbus::middleware::chaos::ChaosPolicy;
use arcbus::middleware::rate_limit::{KeyedRateLimitPolicy, Rate, RateLimitPolicy};
use arcbus::middleware::retry::{Backoff, RetryPolicy};
use arcbus::middleware::timeout::TimeoutPolicy;
use arcbus::middleware::{
    AdaptiveLimit, Budget, Bulkhead, Cache, Chaos, CircuitBreaker, Fallback, Hedge, Priority,
    RateLimit, Retry, Timeout,
};
use arcbus::{CommandBus, Error, FakeClock, Verdict};

use crate::acts::{Act, Actor};

const SECOND: Duration = Duration::from_secs(1);
const MS: Duration = Duration::from_millis(1);

/// Asserts that the output has each of the parts, and no numbers for machines only.
fn shows(value: &impl Debug, parts: &[&str]) {
    let text = format!("{value:?}");
    for part in parts {
        assert!(text.contains(part), "no `{part}` in {text}");
    }
    assert!(longest_number(&text) < 7, "{text}");
    assert!(!text.contains("Mutex") && !text.contains("Waker"), "{text}");
}

/// Returns the length of the longest number, such as a packed word or many nanoseconds.
fn longest_number(text: &str) -> usize {
    let numbers = text.split(|c: char| !c.is_ascii_digit());
    numbers.map(str::len).max().unwrap_or(0)
}

#[test]
fn a_rate_limit_shows_its_rate_and_its_longest_wait() {
    let limit = RateLimitPolicy::new(Rate::per_second(100).burst(5)).expect("in range");
    let limit = limit.wait_at_most(SECOND);
    let rate = "rate: Rate { interval: 10ms, burst: 5 }";
    shows(&limit, &["RateLimitPolicy", rate, "longest_wait: 1s"]);
    limit.check_n(SECOND, 5).expect("full");

    let refused = limit.check(SECOND).unwrap_err();
    assert_eq!(
        format!("{refused:?}"),
        "Refused { retry_after: Some(10ms) }"
    );
    let reserved = limit.reserve(SECOND, 1).expect("within a second");
    shows(&reserved, &["wait: 10ms"]);
    shows(&RateLimit::per_second(100).burst(5), &[rate]);
    let waits = RateLimit::per_second(100).burst(5).wait_at_most(SECOND);
    shows(&waits, &[rate, "longest: 1s"]);
}

#[test]
fn a_keyed_rate_limit_shows_its_rate_and_its_keys() {
    let rate = Rate::per_second(100).burst(5);
    let limit = KeyedRateLimitPolicy::<u32>::new(rate, 100).expect("in range");
    limit.check(&1, SECOND).expect("full");
    let rate = "rate: Rate { interval: 10ms, burst: 5 }";
    shows(
        &limit,
        &["KeyedRateLimitPolicy", rate, "keys: 1", "max_keys: 100"],
    );
    let refused = limit.check_n(&1, SECOND, 5).unwrap_err();
    assert_eq!(
        format!("{refused:?}"),
        "Limited(Refused { retry_after: Some(10ms) })"
    );
}

#[test]
fn a_bulkhead_shows_its_limit_running_and_waiting() {
    let bulkhead = BulkheadPolicy::with_queue(2, 16).expect("in range");
    let permits = [bulkhead.try_acquire(), bulkhead.try_acquire()];
    let mut turn = bulkhead.join().expect("room");
    assert!(turn.poll(Waker::noop()).is_none());
    let parts = ["limit: 2", "in_use: 2", "waiting: 1", "queue: 16"];
    shows(&bulkhead, &parts);
    shows(&permits, &parts);
    shows(&turn, &parts);
    shows(
        &Bulkhead::new(2).queue(16, SECOND),
        &["limit: 2", "len: 16", "max_wait: 1s"],
    );
}

#[test]
fn an_adaptive_limit_shows_its_limits_and_measurements() {
    let layer = AdaptiveLimit::aimd(MS * 100)
        .initial(1)
        .window(1)
        .slow_after(SECOND);
    shows(
        &layer,
        &[
            "algorithm: Aimd { slow: 100ms }",
            "initial: 1",
            "backoff: 0.9",
        ],
    );
    let policy = layer.policy().expect("in range");
    let running = policy
        .try_acquire(Priority::Critical, SECOND)
        .expect("room");
    let parts = [
        "limit: 1",
        "in_flight: 1",
        "latency: None",
        "algorithm: Aimd { slow: 100ms }",
        "slow_after: Some(1s)",
    ];
    shows(&policy, &parts);
    shows(&running, &parts);
    running.answered(SECOND + MS * 20);
    shows(
        &policy,
        &[
            "limit: 2",
            "in_flight: 0",
            "latency: Some(20ms)",
            "backoff: 0.9",
        ],
    );
    shows(
        &AdaptiveLimit::vegas().policy().expect("in range"),
        &["algorithm: Vegas", "baseline: None"],
    );
}

#[test]
fn a_breaker_shows_its_limits_and_its_state() {
    let layer = CircuitBreaker::consecutive(2).open_for(SECOND);
    shows(
        &layer,
        &["window: Consecutive", "failures: 2", "open_for: 1s"],
    );
    let policy = layer.policy().expect("in range");
    let admission = policy.try_admit(SECOND).expect("closed");
    shows(&admission, &["is_probe: false"]);
    admission.complete(Verdict::Failure, SECOND);
    shows(
        &policy,
        &[
            "state: Closed",
            "failures: 1",
            "failures: 2",
            "open_for: 1s",
        ],
    );
    let admission = policy.try_admit(SECOND).expect("closed");
    admission.complete(Verdict::Failure, SECOND);
    shows(&policy, &["state: Open"]);
    shows(&policy.try_admit(SECOND).unwrap_err(), &["retry_after: 1s"]);
    shows(
        &CircuitBreaker::time_window(SECOND)
            .policy()
            .expect("in range"),
        &["window: Time(1s)"],
    );
    shows(
        &CircuitBreaker::count_window(50).policy().expect("in range"),
        &["window: Calls(50)"],
    );
}

#[test]
fn a_budget_shows_its_settings_and_balance() {
    let budget = Budget::new(0.2).minimum_per_second(1).burst(10);
    assert!(budget.try_take(SECOND));
    assert_eq!(
        format!("{budget:?}"),
        "Budget { ratio: 0.2, minimum_per_second: 1, burst: 10, available: 9.0, exhausted: 0 }"
    );
}

#[test]
fn a_hedge_shows_its_delay_and_counts() {
    let layer = Hedge::quantile(0.5).samples(1).min_delay(MS);
    shows(
        &layer,
        &[
            "when: Quantile(0.5)",
            "min_delay: 1ms",
            "max_delay: None",
            "samples: 1",
        ],
    );
    let policy = layer.policy().expect("in range");
    shows(
        &policy,
        &[
            "when: Quantile(0.5)",
            "delay: None",
            "min_delay: 1ms",
            "max_delay: None",
        ],
    );
    policy.answered(Duration::from_nanos(15));
    policy.answered(MS / 100);
    assert!(policy.try_hedge(SECOND));
    shows(
        &policy,
        &[
            "delay: Some(1ms)",
            "max_hedges: 1",
            "slow_after: None",
            "fired: 1",
            "ratio: 0.1",
        ],
    );
    let fixed = Hedge::after(MS * 20)
        .max_delay(SECOND)
        .policy()
        .expect("in range");
    shows(
        &fixed,
        &[
            "when: After(20ms)",
            "delay: Some(20ms)",
            "max_delay: Some(1s)",
        ],
    );
}

#[test]
fn a_retry_shows_its_attempts_and_counts() {
    let policy = RetryPolicy::new(3, Backoff::exponential(MS * 50)).expect("in range");
    let mut course = policy.first_failed();
    course.begin();
    let parts = [
        "attempts: 3",
        "base: 50ms",
        "repeats: 1",
        "gave_up: 0",
        "exhausted: 0",
    ];
    shows(&policy, &parts);
    shows(&course, &["attempt: 2"]);
    shows(
        &Retry::fixed(3, MS),
        &["attempts: 3", "base: 1ms", "ratio: 0.2"],
    );
}

#[test]
fn a_timeout_shows_its_times() {
    let policy = TimeoutPolicy::new(SECOND, MS * 20).expect("in range");
    assert_eq!(
        format!("{policy:?}"),
        "TimeoutPolicy { timeout: 1s, grace: 20ms }"
    );
    let layer = Timeout::new(SECOND).for_route::<Act>(MS);
    shows(&layer, &["timeout: 1s", "grace: 0ns", "(\"act\", 1ms)"]);
}

#[test]
fn chaos_shows_its_rates() {
    let policy = ChaosPolicy::new(u64::MAX);
    policy.set_failures(0.25).expect("in range");
    policy.set_panics(0.5).expect("in range");
    assert_eq!(
        format!("{policy:?}"),
        "ChaosPolicy { delays: 0.0, failures: 0.25, panics: 0.5 }"
    );
    let layer = Chaos::seeded(7).latency(0.5, SECOND);
    shows(&layer, &["seed: 7", "delays: 0.5", "latency: 1s"]);
}

#[test]
fn a_cache_shows_its_times_and_capacity() {
    let cache = Cache::ttl(SECOND)
        .capacity(100)
        .jitter(0.0)
        .cache_errors(MS);
    let parts = [
        "ttl: 1s",
        "capacity: 100",
        "jitter: 0.0",
        "error_ttl: Some(1ms)",
        "stale: None",
    ];
    shows(&cache, &parts);
}

#[test]
fn a_fallback_shows_its_errors_and_its_replacement() {
    let fallback = Fallback::value(7);
    assert_eq!(
        format!("{fallback:?}"),
        "Fallback { substitute: Value, when: Unavailable }"
    );
    let chosen = fallback.when(|error: &Error<String>| error.is_circuit_open());
    shows(&chosen, &["substitute: Value", "closure"]);
}

#[test]
fn handles_show_the_state_of_every_route() {
    let (limit, timeout) = (RateLimit::per_second(100).burst(5), Timeout::new(SECOND));
    let (limits, timeouts) = (limit.handles(), timeout.handles());
    let bus = CommandBus::builder()
        .clock(FakeClock::new())
        .layer(limit)
        .layer(timeout)
        .register(Actor::default())
        .build()
        .expect("in range");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    shows(
        &limits,
        &["\"act\": RateLimitPolicy { rate: Rate { interval: 10ms, burst: 5 }"],
    );
    assert_eq!(
        format!("{timeouts:?}"),
        r#"{"act": TimeoutPolicy { timeout: 1s, grace: 0ns }}"#
    );
}

#[test]
fn metrics_show_counts_and_times_without_the_histogram() {
    let metrics = arcbus::metrics::Metrics::new();
    let builder = CommandBus::builder().clock(FakeClock::new());
    let builder = builder.layer(metrics.layer());
    let bus = builder.register(Actor::default()).build().expect("sound");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    let snapshot = metrics.snapshot();
    shows(
        &snapshot,
        &["name: \"act\"", "replies: 1", "failed: 0", "max: Some(0ns)"],
    );
    assert!(format!("{snapshot:?}").len() < 300, "{snapshot:?}");
}
