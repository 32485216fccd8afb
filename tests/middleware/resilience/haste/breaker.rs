//! A circuit breaker of each kind with impatient callers.

use std::sync::Arc;
use std::time::Duration;

use arcbus::Context;
use arcbus::middleware::circuit_breaker::{CircuitBreakerPolicy, Reading, State};
use arcbus::middleware::{
    AdaptiveLimit, CircuitBreaker, ProductionConfig, ProductionLayers, Timeout,
};

use crate::hasty::{ENDS, HANGS, LANES, Lane, MS, Rig, Way, call, rig, within};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a breaker of each kind, which opens after two failures.
fn kinds() -> [CircuitBreaker; 3] {
    let window = [
        CircuitBreaker::count_window(10).minimum_calls(2),
        CircuitBreaker::time_window(SECOND * 60).minimum_calls(2),
    ];
    let [calls, time] = window.map(|breaker| breaker.failure_rate(0.1));
    [CircuitBreaker::consecutive(2), calls, time]
}

/// Builds a bus with the breaker, with or without a timeout inside.
fn guarded(breaker: CircuitBreaker, timeout: Option<u32>) -> (Rig, Arc<CircuitBreakerPolicy>) {
    let handles = breaker.handles();
    let timeout = timeout.map(|ms| Timeout::new(MS * ms));
    let rig = rig(|bus| bus.layer(breaker).layer(timeout));
    (rig, handles.get("call").expect("registered"))
}

fn counts(reading: Reading) -> (State, u64, u64) {
    (reading.state(), reading.calls(), reading.failures())
}

/// Runs `check` for each kind of window, each end of a call and each place of a limit.
fn each(check: impl Fn(CircuitBreaker, Option<u32>, (Lane, Way))) {
    for end in ENDS {
        for timeout in [None, Some(30_000)] {
            for breaker in kinds() {
                check(breaker, timeout, end);
            }
        }
    }
}

/// A user reported this case: a breaker was open for half a minute, and a limit had fallen from 20
/// to 1.
#[test]
fn hasty_callers_of_a_healthy_backend_do_not_lock_out_a_patient_caller() {
    for end in ENDS {
        for adaptive in [AdaptiveLimit::aimd(SECOND), AdaptiveLimit::vegas()] {
            let handles = adaptive.handles();
            let config = ProductionLayers::queries(ProductionConfig::new());
            let rig = rig(|bus| bus.layers(&config).layer(adaptive));
            let limit = handles.get("call").expect("registered");
            for _ in 0..30 {
                rig.hasty(end, 3, 30);
            }
            assert_eq!(rig.patient(end.0, 30), Ok(30), "{end:?}");
            let usage = limit.usage();
            assert_eq!((usage.limit, usage.in_flight), (20, 0), "{end:?}");
            assert_eq!(limit.latency(), None, "no sample");
        }
    }
}

#[test]
fn a_hasty_caller_does_not_open_the_breaker() {
    each(|breaker, timeout, end| {
        let (rig, policy) = guarded(breaker.slow_after(SECOND), timeout);
        for _ in 0..20 {
            rig.hasty(end, 3, 30);
        }
        assert_eq!(counts(policy.reading()), (State::Closed, 0, 0), "{end:?}");
        assert_eq!(rig.patient(end.0, 30), Ok(30));
    });
}

#[test]
fn a_call_ended_by_its_caller_after_slow_after_is_a_failure() {
    each(|breaker, timeout, end| {
        let (rig, policy) = guarded(breaker.slow_after(SECOND), timeout);
        rig.hasty(end, 990, HANGS);
        assert_eq!(policy.reading().failures(), 0, "{end:?}");
        rig.hasty(end, 1000, HANGS);
        assert_eq!(policy.reading().failures(), 1, "{end:?}");
        rig.hasty(end, 1500, HANGS);
        assert_eq!(policy.state(), State::Open, "{end:?}");
        assert!(rig.patient(end.0, 1).unwrap_err().is_circuit_open());
    });
}

#[test]
fn without_slow_after_haste_does_not_open_the_breaker() {
    each(|breaker, timeout, end| {
        let (rig, policy) = guarded(breaker, timeout);
        for _ in 0..4 {
            rig.hasty(end, 5_000, HANGS);
        }
        assert_eq!(policy.state(), State::Closed, "{end:?}");
    });
}

#[test]
fn a_streak_is_neither_extended_nor_ended_by_haste() {
    for end in ENDS {
        let (rig, policy) = guarded(CircuitBreaker::consecutive(2), None);
        let mut fails = call(0);
        fails.fails = true;
        for failures in [1, 2] {
            assert!(rig.send(end.0, fails.clone(), Context::new()).is_err());
            if failures == 1 {
                rig.hasty(end, 3, 30);
                assert_eq!(policy.reading().failures(), 1, "{end:?}");
            }
        }
        assert_eq!(policy.state(), State::Open);
    }
}

#[test]
fn an_inner_timeout_is_a_failure_under_any_deadline_of_the_caller() {
    for lane in LANES {
        for breaker in kinds() {
            let (rig, policy) = guarded(breaker, Some(10));
            for cx in [Context::new(), within(11)] {
                assert!(rig.send(lane, call(HANGS), cx).is_err());
            }
            assert_eq!(policy.state(), State::Open);
        }
    }
}

/// For the breaker, an outer timeout is a caller, which may leave a call no time at all.
#[test]
fn an_outer_timeout_counts_like_a_deadline_of_the_caller() {
    for lane in LANES {
        for (limit, state) in [(999, State::Closed), (1000, State::Open)] {
            for breaker in kinds() {
                let breaker = breaker.slow_after(SECOND);
                let handles = breaker.handles();
                let outer = Timeout::new(MS * limit);
                let rig = rig(|bus| bus.layer(outer).layer(breaker));
                for _ in 0..2 {
                    assert!(rig.patient(lane, HANGS).unwrap_err().is_timeout());
                }
                let policy = handles.get("call").expect("registered");
                assert_eq!(policy.state(), state, "{lane:?} {limit}");
            }
        }
    }
}

#[test]
fn the_time_of_slow_calls_is_the_default() {
    for end in ENDS {
        let [_, calls, time] = kinds();
        for breaker in [calls, time] {
            let (rig, policy) = guarded(breaker.slow_calls(SECOND, 1.0), None);
            rig.hasty(end, 990, HANGS);
            let reading = policy.reading();
            assert_eq!((reading.failures(), reading.slow()), (0, 0), "{end:?}");
            rig.hasty(end, 1000, HANGS);
            let reading = policy.reading();
            assert_eq!((reading.failures(), reading.slow()), (1, 1), "{end:?}");
        }
    }
}

/// Returns a half-open breaker that allows one probe and a minute for it.
fn half_open(breaker: CircuitBreaker) -> (Rig, Arc<CircuitBreakerPolicy>) {
    let breaker = breaker
        .open_for(SECOND)
        .half_open_probes(1)
        .half_open_for(SECOND * 60)
        .slow_after(SECOND);
    let (rig, policy) = guarded(breaker, Some(30_000));
    let mut fails = call(0);
    fails.fails = true;
    for _ in 0..2 {
        assert!(rig.send(LANES[0], fails.clone(), Context::new()).is_err());
    }
    assert_eq!(policy.state(), State::Open);
    rig.clock.advance(SECOND);
    (rig, policy)
}

#[test]
fn a_hasty_probe_returns_its_permit_and_keeps_the_breaker_half_open() {
    for end in ENDS {
        for breaker in kinds() {
            let (rig, policy) = half_open(breaker);
            for _ in 0..5 {
                rig.hasty(end, 3, 30);
                assert_eq!(counts(policy.reading()), (State::HalfOpen, 0, 0), "{end:?}");
            }
            assert_eq!(rig.patient(end.0, 30), Ok(30), "{end:?}");
            assert_eq!(policy.state(), State::Closed, "{end:?}");
        }
    }
}

#[test]
fn a_probe_ended_by_its_caller_after_slow_after_reopens_the_breaker() {
    for end in ENDS {
        for breaker in kinds() {
            let (rig, policy) = half_open(breaker);
            rig.hasty(end, 1000, HANGS);
            assert_eq!(policy.state(), State::Open, "{end:?}");
        }
    }
}

/// A probe is always out, even when the time for probes has ended.
#[test]
fn a_stream_of_hasty_probes_does_not_reopen_the_breaker() {
    let breaker = CircuitBreaker::consecutive(1)
        .half_open_probes(2)
        .half_open_for(SECOND)
        .open_for(SECOND);
    let policy = breaker.policy().expect("in range");
    let at = |ms| SECOND * 2 + MS * ms;
    let admit = |ms| policy.try_admit(at(ms)).expect("half-open");
    let failed = policy.try_admit(SECOND).expect("closed");
    failed.complete(arcbus::Verdict::Failure, SECOND);
    let mut out = admit(0);
    for ms in 1..5_000 {
        let next = admit(ms);
        out.abandon(at(ms));
        out = next;
    }
    assert_eq!(policy.state(), State::HalfOpen);
    out.abandon(at(5_000));
    // A hanging probe does reopen the breaker.
    let _hangs = admit(5_000);
    assert!(policy.try_admit(at(6_000)).is_err());
    assert_eq!(policy.state(), State::Open);
}

#[test]
fn slow_after_can_be_changed_on_a_running_breaker() {
    for breaker in kinds() {
        let (rig, policy) = guarded(breaker, None);
        let mut limits = policy.limits();
        assert_eq!(limits.slow_after, None);
        limits.slow_after = Some(MS * 3);
        policy.set_limits(limits).expect("in range");
        assert_eq!(policy.limits(), limits);
        rig.hasty(ENDS[0], 3, 30);
        assert_eq!(policy.reading().failures(), 1);
        limits.slow_after = Some(Duration::ZERO);
        assert!(policy.set_limits(limits).is_err());
    }
}

/// An error that the handler makes of its caller's deadline is the caller's doing as well.
#[test]
fn an_error_after_the_caller_has_gone_does_not_count() {
    for lane in LANES {
        for breaker in kinds() {
            let handles = breaker.handles();
            let clock = arcbus::FakeClock::new();
            let time = clock.clone();
            let client = move |msg: crate::hasty::Call, cx: &Context<'_>| {
                let patience = cx.remaining().map_or(HANGS, |left| left.as_millis() as u32);
                time.advance(MS * patience.min(msg.takes));
                Err::<u32, _>("the socket timed out".to_owned())
            };
            let bus = arcbus::QueryBus::builder()
                .clock(clock.clone())
                .layer(breaker)
                .register(arcbus::from_fn(client))
                .build()
                .expect("in range");
            let policy = handles.get("call").expect("registered");
            for _ in 0..10 {
                let outcome = crate::hasty::send(&bus, lane, call(30), within(3));
                assert!(outcome.unwrap_err().is_handler());
            }
            assert_eq!(counts(policy.reading()), (State::Closed, 0, 0));
            for _ in 0..2 {
                let outcome = crate::hasty::send(&bus, lane, call(30), within(31));
                assert!(outcome.unwrap_err().is_handler());
            }
            assert_eq!(policy.state(), State::Open, "it failed in time");
        }
    }
}
