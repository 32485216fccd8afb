//! A hedge with a measured delay and impatient callers.

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::hedge::HedgePolicy;
use arcbus::middleware::{Budget, Hedge, Timeout};

use crate::hasty::{ENDS, HANGS, Lane, MS, Rig, Way, rig};

const SECOND: Duration = Duration::from_secs(1);

/// Builds a hedge with a known delay of about 10 ms. Each sample is a window, and no hedge ever
/// starts.
fn hedged(hedge: Hedge, timeout: Option<u32>) -> (Rig, Arc<HedgePolicy>) {
    let hedge = hedge.budget(spent());
    let handles = hedge.handles();
    let timeout = timeout.map(|ms| Timeout::new(MS * ms));
    let rig = rig(|bus| bus.layer(hedge).layer(timeout));
    let policy = handles.get("call").expect("registered");
    policy.answered(MS * 10);
    (rig, policy)
}

fn measured() -> Hedge {
    Hedge::quantile(0.9).samples(1)
}

/// Returns a budget with no tokens left.
fn spent() -> Budget {
    let budget = Budget::new(0.1).minimum_per_second(0).burst(1);
    assert!(budget.try_take(SECOND));
    budget
}

fn each(check: impl Fn(Option<u32>, (Lane, Way))) {
    for end in ENDS {
        for timeout in [None, Some(30_000)] {
            check(timeout, end);
        }
    }
}

#[test]
fn a_call_ended_by_its_caller_is_no_sample() {
    each(|timeout, end| {
        let (rig, policy) = hedged(measured().slow_after(SECOND), timeout);
        let delay = policy.delay();
        for _ in 0..10 {
            rig.hasty(end, 3, 30);
            rig.hasty(end, 20, 30);
            rig.hasty(end, 990, HANGS);
        }
        assert_eq!((policy.delay(), policy.samples()), (delay, 1), "{end:?}");
        assert_eq!(rig.patient(end.0, 30), Ok(30));
        assert_eq!(policy.samples(), 2);
    });
}

#[test]
fn a_call_ended_by_its_caller_after_slow_after_is_a_slow_sample() {
    each(|timeout, end| {
        let (rig, policy) = hedged(measured().slow_after(SECOND), timeout);
        rig.hasty(end, 1010, HANGS);
        assert_eq!(policy.samples(), 2, "{end:?}");
        let delay = policy.delay().expect("measured");
        assert!(delay >= SECOND && delay < SECOND * 2, "{delay:?}");
    });
}

#[test]
fn a_call_ended_by_its_caller_deposits_nothing_in_the_budget() {
    each(|_, end| {
        let budget = Budget::new(0.5).minimum_per_second(0).burst(1);
        assert!(budget.try_take(SECOND));
        let hedge = Hedge::after(SECOND * 90).budget(budget.clone());
        let rig = rig(|bus| bus.layer(hedge).layer(Timeout::new(SECOND * 30)));
        for _ in 0..10 {
            rig.hasty(end, 3, 30);
        }
        assert_eq!(budget.available(), 0.0, "{end:?}");
        assert_eq!(rig.patient(end.0, 30), Ok(30));
        assert_eq!(budget.available(), 0.5);
    });
}

#[test]
fn a_slow_after_out_of_range_is_refused() {
    for time in [Duration::ZERO, Duration::MAX] {
        let refused = Hedge::after(MS).slow_after(time).policy();
        assert_eq!(refused.unwrap_err().field(), "Hedge.slow_after");
    }
}
