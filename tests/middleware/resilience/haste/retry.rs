//! A retry and its budget with impatient callers.

use std::time::Duration;

use arcbus::middleware::{Budget, Retry, Timeout};
use arcbus::{Context, Error};

use crate::hasty::{ENDS, LANES, MS, Way, call, cancelled, rig, within};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a budget with no tokens left.
fn spent() -> Budget {
    let budget = Budget::new(0.5).minimum_per_second(0).burst(1);
    assert!(budget.try_take(SECOND));
    budget
}

#[test]
fn a_call_ended_by_its_caller_is_not_repeated_and_costs_no_budget() {
    for end in ENDS {
        for timeout in [None, Some(30_000)] {
            let budget = spent();
            let retry = Retry::fixed(3, MS)
                .budget(budget.clone())
                .retry_if(|_: &Error<String>| true);
            let handles = retry.handles();
            let timeout = timeout.map(|ms| Timeout::new(MS * ms));
            let rig = rig(|bus| bus.layer(retry).layer(timeout));
            for _ in 0..10 {
                rig.hasty(end, 3, 30);
            }
            assert_eq!(budget.exhausted(), 0, "{end:?}");
            let policy = handles.get("call").expect("registered");
            let told = (policy.repeats(), policy.gave_up(), policy.exhausted());
            assert_eq!(told, (0, 0, 0), "{end:?}");
            assert_eq!(rig.patient(end.0, 30), Ok(30));
            assert_eq!(budget.available(), 1.0);
        }
    }
}

/// The handler fails after its caller has gone, by itself or because it was cancelled.
#[test]
fn a_failure_after_the_caller_has_gone_costs_no_budget() {
    for (lane, way) in ENDS {
        if way == Way::Drop {
            continue;
        }
        let budget = Budget::new(0.5).minimum_per_second(0).burst(1);
        let retry = Retry::fixed(3, MS).budget(budget.clone());
        let handles = retry.handles();
        let rig = rig(|bus| bus.layer(retry));
        let (mut msg, cx) = match way {
            Way::Token => cancelled(3, 3),
            _ => (call(3), within(3)),
        };
        msg.fails = true;
        assert!(rig.send(lane, msg, cx).is_err());
        assert_eq!(budget.available(), 1.0, "{lane:?} {way:?}");
        let policy = handles.get("call").expect("registered");
        assert_eq!((policy.repeats(), policy.exhausted()), (0, 0));
    }
}

#[test]
fn a_message_that_ends_by_itself_deposits_once() {
    for lane in LANES {
        let budget = spent();
        let rig = rig(|bus| bus.layer(Retry::fixed(3, MS).budget(budget.clone())));
        let mut fails = call(1);
        fails.fails = true;
        assert!(rig.send(lane, fails, Context::new()).is_err());
        assert_eq!(budget.available(), 0.5, "{lane:?}");
        assert_eq!(rig.patient(lane, 1), Ok(1));
        assert_eq!(budget.available(), 1.0, "{lane:?}");
    }
}
