//! The state machine of the breaker alone, driven by hand.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use arcbus::Verdict::{self, Failure, Neutral, Success};
use arcbus::middleware::circuit_breaker::{CircuitBreaker, CircuitBreakerPolicy, State};

const MS: Duration = Duration::from_millis(1);
const OPEN: Duration = Duration::from_millis(1000);

/// Returns a breaker that opens after two consecutive failures and needs two probes to close.
fn consecutive() -> CircuitBreaker {
    CircuitBreaker::consecutive(2)
        .open_for(OPEN)
        .half_open_probes(2)
}

fn made(breaker: CircuitBreaker) -> CircuitBreakerPolicy {
    breaker.policy().expect("in range")
}

/// Makes a call that takes no time and ends in `verdict`.
fn call(breaker: &CircuitBreakerPolicy, now: Duration, verdict: Verdict) {
    let admission = breaker.try_admit(now).expect("let through");
    admission.complete(verdict, now);
}

fn calls(breaker: &CircuitBreakerPolicy, now: Duration, verdicts: &[Verdict]) {
    verdicts
        .iter()
        .for_each(|verdict| call(breaker, now, *verdict));
}

fn opened(breaker: CircuitBreaker) -> CircuitBreakerPolicy {
    let breaker = made(breaker);
    calls(&breaker, Duration::ZERO, &[Failure, Failure]);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

fn retry_after(breaker: &CircuitBreakerPolicy, now: Duration) -> Option<Duration> {
    breaker
        .try_admit(now)
        .err()
        .map(|refused| refused.retry_after())
}

#[test]
fn consecutive_failures_open_a_breaker() {
    let breaker = made(consecutive());
    calls(&breaker, MS, &[Failure, Success, Failure, Neutral]);
    assert_eq!(breaker.state(), State::Closed);
    assert_eq!(breaker.reading().failures(), 1);
    call(&breaker, MS, Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_refusal_has_the_time_of_the_next_try() {
    let breaker = opened(consecutive());
    assert_eq!(retry_after(&breaker, Duration::ZERO), Some(OPEN));
    assert_eq!(retry_after(&breaker, OPEN - MS), Some(MS));
    assert!(breaker.try_admit(OPEN).expect("a probe").is_probe());
}

#[test]
fn no_more_probes_go_out_than_asked_for() {
    let breaker = opened(consecutive());
    let probes = [OPEN, OPEN].map(|now| breaker.try_admit(now).expect("a probe"));
    assert_eq!(retry_after(&breaker, OPEN + MS), Some(30_000 * MS - MS));
    for probe in probes {
        assert_eq!(breaker.state(), State::HalfOpen);
        probe.complete(Success, OPEN);
    }
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_dropped_or_neutral_probe_is_given_back() {
    let breaker = opened(consecutive().half_open_probes(1));
    for _ in 0..3 {
        drop(breaker.try_admit(OPEN).expect("a probe"));
        call(&breaker, OPEN, Neutral);
    }
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.reading().calls(), 0);
    call(&breaker, OPEN, Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_failed_probe_reopens_a_breaker() {
    let breaker = opened(consecutive());
    calls(&breaker, OPEN, &[Success, Failure]);
    assert_eq!(breaker.state(), State::Open);
    assert_eq!(retry_after(&breaker, OPEN), Some(OPEN));
}

#[test]
fn the_open_interval_grows_until_the_breaker_closes() {
    let breaker = consecutive().half_open_probes(1).open_growth(3.0, 5 * OPEN);
    let breaker = opened(breaker);
    let mut now = Duration::ZERO;
    for interval in [OPEN, 3 * OPEN, 5 * OPEN, 5 * OPEN] {
        assert_eq!(retry_after(&breaker, now), Some(interval));
        now += interval;
        call(&breaker, now, Failure);
    }
    now += 5 * OPEN;
    calls(&breaker, now, &[Success, Failure, Failure]);
    assert_eq!(retry_after(&breaker, now), Some(OPEN));
}

#[test]
fn a_late_success_does_not_close_a_reopened_breaker() {
    let breaker = made(consecutive().half_open_probes(1));
    let late = breaker.try_admit(MS).expect("closed");
    calls(&breaker, MS, &[Failure, Failure]);
    late.complete(Success, 2 * MS);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_late_probe_decides_nothing() {
    let breaker = opened(consecutive().half_open_for(10 * OPEN));
    let late = breaker.try_admit(OPEN).expect("a probe");
    call(&breaker, OPEN, Failure);
    let again = breaker
        .try_admit(2 * OPEN)
        .expect("a probe of the next time");
    late.complete(Failure, 2 * OPEN);
    assert_eq!(breaker.state(), State::HalfOpen);
    assert_eq!(breaker.reading().calls(), 0);
    drop(again);
}

#[test]
fn a_late_failure_is_not_counted_in_a_new_window() {
    let windows = [
        CircuitBreaker::consecutive(1),
        CircuitBreaker::count_window(10).minimum_calls(1),
        CircuitBreaker::time_window(OPEN).minimum_calls(1),
    ];
    for breaker in windows.map(made) {
        let late = breaker.try_admit(MS).expect("closed");
        breaker.reset();
        late.complete(Failure, MS);
        assert_eq!(breaker.state(), State::Closed);
        assert_eq!(
            (breaker.reading().calls(), breaker.reading().failures()),
            (0, 0)
        );
    }
}

#[test]
fn a_hanging_probe_reopens_a_breaker() {
    let breaker = opened(consecutive().half_open_for(5 * MS));
    let hangs = breaker.try_admit(OPEN).expect("a probe");
    assert_eq!(retry_after(&breaker, OPEN + 5 * MS), Some(OPEN));
    assert_eq!(breaker.state(), State::Open);
    drop(hangs);
    let later = OPEN + 5 * MS + OPEN;
    calls(&breaker, later, &[Success, Success]);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_quiet_half_open_breaker_waits_for_calls() {
    let breaker = opened(consecutive().half_open_for(5 * MS));
    call(&breaker, OPEN, Success);
    call(&breaker, 100 * OPEN, Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn half_open_is_judged_by_count_not_by_the_window() {
    let breaker = CircuitBreaker::time_window(16 * MS)
        .minimum_calls(2)
        .open_for(OPEN)
        .half_open_probes(2);
    let breaker = opened(breaker);
    call(&breaker, OPEN, Success);
    call(&breaker, 50 * OPEN, Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn probes_are_judged_by_the_failure_rate_if_set() {
    let breaker = || {
        opened(
            CircuitBreaker::count_window(2)
                .failure_rate(0.6)
                .open_for(OPEN)
                .half_open_probes(4),
        )
    };
    let closes = breaker();
    calls(&closes, OPEN, &[Failure, Failure, Success, Success]);
    assert_eq!(closes.state(), State::Closed);
    let opens = breaker();
    calls(&opens, OPEN, &[Failure, Success, Failure, Failure]);
    assert_eq!(opens.state(), State::Open);
}

#[test]
fn a_window_of_a_single_call_works() {
    let breaker = made(CircuitBreaker::count_window(1));
    calls(&breaker, MS, &[Success, Success]);
    assert_eq!(breaker.reading().calls(), 1);
    call(&breaker, MS, Failure);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_count_window_forgets_call_by_call() {
    let breaker = made(CircuitBreaker::count_window(4).failure_rate(0.75));
    calls(&breaker, MS, &[Failure, Failure, Success, Success]);
    calls(&breaker, MS, &[Failure, Success, Failure]);
    assert_eq!(breaker.reading().failures(), 2);
    calls(&breaker, MS, &[Success, Failure, Failure]);
    assert_eq!(breaker.state(), State::Open, "three of four");
}

#[test]
fn a_time_window_does_not_forget_at_its_boundary() {
    let breaker = made(CircuitBreaker::time_window(16 * MS).minimum_calls(4));
    let boundary = 160 * MS;
    calls(&breaker, boundary - MS, &[Failure, Failure]);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, boundary + MS, &[Failure, Failure]);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_time_window_forgets_calls_older_than_its_length() {
    for length in [16 * MS, 10 * MS, Duration::from_nanos(123_456_789)] {
        for start in [Duration::ZERO, 3 * MS, Duration::from_nanos(1 << 62)] {
            let held = |age: Duration| {
                let breaker = made(CircuitBreaker::time_window(length));
                call(&breaker, start, Failure);
                call(&breaker, start + age, Success);
                breaker.reading().calls() == 2
            };
            assert!(
                held(length * 15 / 16 - Duration::from_nanos(20)),
                "{length:?}, {start:?}"
            );
            assert!(!held(length), "{length:?}, {start:?}");
        }
    }
}

#[test]
fn the_call_that_reaches_the_minimum_opens_a_breaker() {
    for breaker in [
        CircuitBreaker::count_window(10).minimum_calls(4),
        CircuitBreaker::time_window(OPEN).minimum_calls(4),
    ] {
        let breaker = made(breaker);
        calls(&breaker, MS, &[Failure, Failure, Success]);
        assert_eq!(breaker.state(), State::Closed);
        call(&breaker, MS, Success);
        assert_eq!(breaker.state(), State::Open);
    }
}

#[test]
fn slow_calls_open_a_breaker_even_if_they_succeed() {
    for breaker in [
        CircuitBreaker::count_window(10),
        CircuitBreaker::time_window(OPEN),
    ] {
        let breaker = made(breaker.minimum_calls(3).slow_calls(5 * MS, 0.6));
        for (took, verdict) in [(5 * MS, Success), (4 * MS, Success), (6 * MS, Neutral)] {
            let admission = breaker.try_admit(10 * MS).expect("closed");
            admission.complete(verdict, 10 * MS + took);
        }
        let reading = breaker.reading();
        assert_eq!(
            (reading.calls(), reading.slow(), reading.failures()),
            (2, 1, 0)
        );
        assert_eq!(reading.slow_rate(), 0.5);
        let admission = breaker.try_admit(10 * MS).expect("closed");
        admission.complete(Failure, 20 * MS);
        assert_eq!(breaker.state(), State::Open);
    }
}

#[test]
fn a_slow_probe_reopens_a_breaker() {
    let breaker = CircuitBreaker::count_window(2)
        .slow_calls(5 * MS, 0.5)
        .half_open_probes(2);
    let breaker = opened(breaker.open_for(OPEN));
    let probe = breaker.try_admit(OPEN).expect("a probe");
    probe.complete(Success, OPEN + 5 * MS);
    assert_eq!(breaker.state(), State::Open);
}

#[test]
fn a_breaker_forced_open_refuses_at_any_time() {
    let breaker = made(consecutive());
    breaker.force_open();
    assert_eq!(retry_after(&breaker, MS), Some(OPEN));
    assert_eq!(retry_after(&breaker, 100 * OPEN), Some(OPEN));
    breaker.reset();
    call(&breaker, MS, Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn a_breaker_forced_closed_counts_and_never_opens() {
    let breaker = made(CircuitBreaker::count_window(5));
    breaker.force_closed();
    calls(&breaker, MS, &[Failure; 7]);
    calls(&breaker, MS, &[Success; 2]);
    assert_eq!(breaker.state(), State::ForcedClosed);
    assert_eq!(
        (breaker.reading().calls(), breaker.reading().failures()),
        (5, 3)
    );
    breaker.reset();
    assert_eq!(breaker.reading().calls(), 0);
}

#[test]
fn a_disabled_breaker_counts_nothing() {
    let breaker = made(CircuitBreaker::count_window(5));
    breaker.disable();
    calls(&breaker, MS, &[Failure; 7]);
    assert_eq!(breaker.state(), State::Disabled);
    assert_eq!(breaker.reading().calls(), 0);
}

#[test]
fn a_metrics_only_breaker_changes_state_and_refuses_no_call() {
    let breaker = made(consecutive());
    breaker.metrics_only();
    calls(&breaker, MS, &[Failure, Failure]);
    assert_eq!(breaker.state(), State::Open);
    assert!(breaker.reading().is_metrics_only());
    calls(&breaker, 2 * MS, &[Failure, Success]);
    assert_eq!(breaker.state(), State::Open);
    let later = MS + OPEN;
    let probes = [later; 2].map(|now| breaker.try_admit(now).expect("a probe"));
    let more = breaker.try_admit(later).expect("nobody is refused");
    assert!(!more.is_probe());
    more.complete(Failure, later);
    for probe in probes {
        probe.complete(Success, later);
    }
    assert_eq!(breaker.state(), State::Closed);
    breaker.reset();
    assert!(!breaker.reading().is_metrics_only());
}

#[test]
fn limits_of_a_running_breaker_can_change() {
    let breaker = made(CircuitBreaker::count_window(10).minimum_calls(2));
    let mut limits = breaker.limits();
    (limits.failure_rate, limits.open_for) = (0.8, 7 * OPEN);
    breaker.set_limits(limits).expect("in range");
    assert_eq!(breaker.limits(), limits);
    calls(&breaker, MS, &[Success, Failure, Failure]);
    assert_eq!(breaker.state(), State::Closed);
    calls(&breaker, MS, &[Failure, Failure]);
    assert_eq!(retry_after(&breaker, MS), Some(7 * OPEN));
    limits.minimum_calls = 0;
    let refused = breaker.set_limits(limits).unwrap_err();
    assert_eq!(refused.field(), "CircuitBreaker.minimum_calls");
    assert_eq!(
        retry_after(&breaker, MS),
        Some(7 * OPEN),
        "nothing is changed"
    );
}

#[test]
fn slow_calls_can_be_configured_later() {
    let breaker = made(CircuitBreaker::count_window(10).minimum_calls(1));
    let before = breaker.try_admit(MS).expect("closed");
    let mut limits = breaker.limits();
    limits.slow_calls = Some((MS, 1.0));
    breaker.set_limits(limits).expect("in range");
    before.complete(Success, OPEN);
    assert_eq!(breaker.reading().slow(), 0, "nobody looked when it began");
    let after = breaker.try_admit(MS).expect("closed");
    after.complete(Success, OPEN);
    assert_eq!(breaker.reading().slow(), 1);
}

#[test]
fn fewer_probes_than_already_done_do_not_block_a_breaker() {
    let breaker = opened(consecutive().half_open_probes(10));
    calls(&breaker, OPEN, &[Success; 5]);
    let mut limits = breaker.limits();
    limits.half_open_probes = 2;
    breaker.set_limits(limits).expect("in range");
    call(&breaker, OPEN, Success);
    assert_eq!(breaker.state(), State::Closed);
}

#[test]
fn listeners_are_notified_and_may_panic() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let breaker = opened(consecutive().on_transition(move |change| {
        let mut log = log.lock().unwrap_or_else(PoisonError::into_inner);
        log.push((change.from(), change.to(), change.epoch()));
        panic!("a listener of the test");
    }));
    calls(&breaker, OPEN, &[Success, Success]);
    breaker.disable();
    let expected = [
        (State::Closed, State::Open, 1),
        (State::Open, State::HalfOpen, 2),
        (State::HalfOpen, State::Closed, 3),
        (State::Closed, State::Disabled, 4),
    ];
    let told = told.lock().unwrap_or_else(PoisonError::into_inner);
    assert_eq!(*told, expected);
}

#[test]
fn settings_out_of_range_are_refused_by_name() {
    let window = || CircuitBreaker::count_window(10);
    let day = Duration::from_secs(86_400);
    let (zero, long) = (Duration::ZERO, day + MS);
    let refused = [
        (CircuitBreaker::consecutive(0), "failures"),
        (
            CircuitBreaker::consecutive(5).failure_rate(0.1),
            "failure_rate",
        ),
        (
            CircuitBreaker::consecutive(5).minimum_calls(1),
            "minimum_calls",
        ),
        (
            CircuitBreaker::consecutive(5).slow_calls(MS, 0.5),
            "slow_calls",
        ),
        (CircuitBreaker::count_window(0), "window"),
        (CircuitBreaker::count_window(10_001), "window"),
        (CircuitBreaker::time_window(9 * MS), "window"),
        (CircuitBreaker::time_window(601_000 * MS), "window"),
        (CircuitBreaker::time_window(Duration::MAX), "window"),
        (window().failure_rate(0.0), "failure_rate"),
        (window().failure_rate(1.1), "failure_rate"),
        (window().failure_rate(f64::NAN), "failure_rate"),
        (window().slow_calls(zero, 0.5), "slow_calls"),
        (window().slow_calls(Duration::MAX, 0.5), "slow_calls"),
        (window().slow_calls(MS, 0.0), "slow_calls rate"),
        (window().minimum_calls(0), "minimum_calls"),
        (window().minimum_calls(11), "minimum_calls"),
        (window().open_for(zero), "open_for"),
        (window().open_for(long), "open_for"),
        (window().open_growth(0.9, day), "open_growth"),
        (window().open_growth(f64::INFINITY, day), "open_growth"),
        (window().open_growth(2.0, MS), "open_growth longest"),
        (window().open_growth(2.0, long), "open_growth longest"),
        (window().half_open_probes(0), "half_open_probes"),
        (window().half_open_probes(64), "half_open_probes"),
        (window().half_open_for(zero), "half_open_for"),
        (window().half_open_for(Duration::MAX), "half_open_for"),
    ];
    for (breaker, field) in refused {
        let invalid = breaker.policy().unwrap_err();
        assert_eq!(invalid.field(), format!("CircuitBreaker.{field}"));
    }
}
