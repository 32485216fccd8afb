//! An adaptive limit with impatient callers.

use std::sync::Arc;
use std::time::Duration;

use arcbus::Context;
use arcbus::middleware::adaptive_limit::AdaptiveLimitPolicy;
use arcbus::middleware::{AdaptiveLimit, Timeout};

use crate::hasty::{ENDS, HANGS, LANES, Lane, MS, Rig, Way, call, rig};

const SECOND: Duration = Duration::from_secs(1);

/// Returns limits of each kind, in which each sample is a window.
fn kinds() -> [AdaptiveLimit; 2] {
    [AdaptiveLimit::aimd(SECOND * 30), AdaptiveLimit::vegas()].map(|limit| limit.window(1))
}

fn limited(limit: AdaptiveLimit, timeout: Option<u32>) -> (Rig, Arc<AdaptiveLimitPolicy>) {
    let handles = limit.handles();
    let timeout = timeout.map(|ms| Timeout::new(MS * ms));
    let rig = rig(|bus| bus.layer(limit).layer(timeout));
    (rig, handles.get("call").expect("registered"))
}

fn each(check: impl Fn(AdaptiveLimit, Option<u32>, (Lane, Way))) {
    for end in ENDS {
        for timeout in [None, Some(30_000)] {
            for limit in kinds() {
                check(limit, timeout, end);
            }
        }
    }
}

/// Returns the limit, the number of calls in flight, and the measured latency.
fn seen(policy: &AdaptiveLimitPolicy) -> (usize, usize, Option<Duration>) {
    let usage = policy.usage();
    (usage.limit, usage.in_flight, policy.latency())
}

#[test]
fn a_call_ended_by_its_caller_is_no_sample_and_does_not_change_the_limit() {
    each(|limit, timeout, end| {
        let (rig, policy) = limited(limit.slow_after(SECOND), timeout);
        for _ in 0..20 {
            rig.hasty(end, 3, 30);
        }
        assert_eq!(seen(&policy), (20, 0, None), "{end:?}");
        assert_eq!(policy.baseline(), None);
    });
}

#[test]
fn a_call_ended_by_its_caller_after_slow_after_is_an_overload() {
    each(|limit, timeout, end| {
        let (rig, policy) = limited(limit.slow_after(SECOND), timeout);
        rig.hasty(end, 990, HANGS);
        assert_eq!(seen(&policy), (20, 0, None), "{end:?}");
        rig.hasty(end, 1000, HANGS);
        assert_eq!(seen(&policy), (18, 0, None), "{end:?}");
    });
}

#[test]
fn without_slow_after_haste_does_not_lower_the_limit() {
    each(|limit, timeout, end| {
        let (rig, policy) = limited(limit, timeout);
        rig.hasty(end, 5_000, HANGS);
        assert_eq!(seen(&policy), (20, 0, None), "{end:?}");
    });
}

#[test]
fn the_limit_of_a_layer_is_an_overload_inside_and_outside() {
    for lane in LANES {
        for limit in kinds() {
            let (rig, policy) = limited(limit, Some(10));
            assert!(rig.patient(lane, HANGS).is_err());
            assert_eq!(seen(&policy), (18, 0, None), "{lane:?}");
        }
        for limit in kinds() {
            let handles = limit.handles();
            let rig = rig(|bus| bus.layer(Timeout::new(MS * 10)).layer(limit));
            assert!(rig.patient(lane, HANGS).is_err());
            let policy = handles.get("call").expect("registered");
            assert_eq!(seen(&policy), (18, 0, None), "{lane:?}");
        }
    }
}

#[test]
fn an_error_after_the_caller_has_gone_does_not_change_the_limit() {
    for lane in LANES {
        for limit in kinds() {
            let handles = limit.handles();
            let clock = arcbus::FakeClock::new();
            let time = clock.clone();
            let bus = arcbus::QueryBus::builder()
                .clock(clock)
                .layer(limit)
                .register(arcbus::from_fn(
                    move |msg: crate::hasty::Call, _: &Context<'_>| {
                        time.advance(MS * msg.takes);
                        Err::<u32, _>("down".to_owned())
                    },
                ))
                .build()
                .expect("in range");
            let policy = handles.get("call").expect("registered");
            let _ = crate::hasty::send(&bus, lane, call(3), crate::hasty::within(3));
            assert_eq!(seen(&policy), (20, 0, None), "{lane:?}");
            let _ = crate::hasty::send(&bus, lane, call(3), crate::hasty::within(4));
            assert_eq!(seen(&policy), (18, 0, None), "{lane:?}");
        }
    }
}

#[test]
fn a_slow_after_out_of_range_is_refused() {
    for time in [Duration::ZERO, SECOND * 86_401] {
        let refused = AdaptiveLimit::vegas().slow_after(time).policy();
        assert_eq!(refused.unwrap_err().field(), "AdaptiveLimit.slow_after");
    }
}
