//! The state that stays after a swap. No protection of the backend starts anew because the handler
//! is another one.

use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::adaptive_limit::AdaptiveUsage;
use arcbus::middleware::circuit_breaker::State;
use arcbus::middleware::rate_limit::{KeyedRateLimit, Rate};
use arcbus::middleware::{
    AdaptiveLimit, Budget, Bulkhead, Chaos, CircuitBreaker, Hedge, RateLimit, Retry, Timeout,
};
use arcbus::{Context, Error};

use super::rig::{Down, HOUR, LANES, Task, rig};
use crate::acts::{poll_once, ready};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn fifty_swaps_let_no_more_messages_through_than_the_rate() {
    let rig = rig(RateLimit::new(2, HOUR));
    let passed = |_| {
        rig.swap();
        rig.passed(1)
    };
    assert_eq!((0..50).map(passed).sum::<usize>(), 2);
    rig.clock.advance(HOUR + SECOND);
    assert_eq!((0..50).map(passed).sum::<usize>(), 2);
}

#[test]
fn a_waiting_message_stays_ahead_of_messages_after_the_swap() {
    let rig = rig(RateLimit::new(1, HOUR).wait_at_most(10 * HOUR));
    assert_eq!(rig.bus.execute_blocking(Task(0)), Ok(1));
    let mut first = Box::pin(rig.bus.execute(Task(1)));
    assert!(poll_once(first.as_mut()).is_pending());
    rig.swap();
    let mut second = Box::pin(rig.bus.execute(Task(2)));
    assert!(poll_once(second.as_mut()).is_pending());
    rig.clock.advance(HOUR + SECOND);
    assert!(poll_once(second.as_mut()).is_pending());
    assert_eq!(ready(first), Some(Ok(1)));
    rig.clock.advance(HOUR + SECOND);
    assert_eq!(ready(second), Some(Ok(2)));
}

#[test]
fn fifty_swaps_let_no_more_messages_of_a_key_through() {
    let rig = rig(KeyedRateLimit::by(
        Rate::new(2, HOUR),
        |task: &Task, _: &Context<'_>| task.0,
    ));
    let passed = |_| {
        rig.swap();
        rig.passed(1)
    };
    assert_eq!((0..50).map(passed).sum::<usize>(), 2);
    assert_eq!(rig.passed(2), 2);
}

#[test]
fn an_open_breaker_stays_open() {
    let rig = rig(CircuitBreaker::consecutive(4).open_for(HOUR));
    let down = [Err(Error::Handler(Down)), Err(Error::Handler(Down))];
    assert_eq!(rig.both(100), down);
    rig.swap();
    assert_eq!(rig.both(100), down);
    rig.swap();
    for refused in rig.both(1) {
        assert!(refused.unwrap_err().is_circuit_open());
    }
}

#[test]
fn a_failure_in_flight_opens_the_breaker_of_the_new_handler() {
    for lane in LANES {
        let breaker = CircuitBreaker::consecutive(1).open_for(HOUR);
        let handles = breaker.handles();
        let rig = rig(breaker);
        let outcome = rig.across_a_swap(lane, 100, || assert_eq!(rig.passed(1), 2));
        assert_eq!(outcome, Err(Error::Handler(Down)));
        assert_eq!(rig.passed(1), 0);
        let breaker = handles.get("task").expect("registered");
        assert_eq!(breaker.state(), State::Open);
    }
}

#[test]
fn a_permit_in_use_is_in_use_for_the_new_handler() {
    for lane in LANES {
        let bulkhead = Bulkhead::new(1);
        let handles = bulkhead.handles();
        let rig = rig(bulkhead);
        let outcome = rig.across_a_swap(lane, 1, || {
            assert_eq!(
                rig.both(2),
                [const { Err(Error::Overloaded { limit: 1 }) }; 2]
            );
        });
        assert_eq!(outcome, Ok(2));
        assert_eq!(rig.both(2), [Ok(3), Ok(3)]);
        assert_eq!(handles.all().len(), 1);
        assert_eq!(handles.all()[0].1.usage().in_use, 0);
    }
}

#[test]
fn a_waiter_gets_the_permit_before_newcomers_after_the_swap() {
    for lane in LANES {
        let bulkhead = Bulkhead::new(1).queue(5, HOUR);
        let handles = bulkhead.handles();
        let rig = rig(bulkhead);
        let usage = || {
            let usage = handles.get("task").expect("registered").usage();
            (usage.in_use, usage.waiting)
        };
        let mut late = None;
        let running = rig.version(false);
        let gate = running.gate();
        let _ = rig.registrar.replace(running).expect("registered");
        let mut first = Box::pin(rig.bus.execute(Task(1)));
        assert!(poll_once(first.as_mut()).is_pending());
        let waited = rig.sent(
            lane,
            2,
            || usage() == (1, 1),
            || {
                rig.swap();
                let mut sent = Box::pin(rig.bus.execute(Task(3)));
                assert!(poll_once(sent.as_mut()).is_pending());
                assert_eq!(usage(), (1, 2));
                late = Some(sent);
                drop(gate);
                assert_eq!(ready(first), Some(Ok(2)));
            },
        );
        assert_eq!(waited, Ok(2), "by the handler that it was sent to");
        assert_eq!(ready(late.expect("sent")), Some(Ok(3)));
        assert_eq!((usage(), rig.steps.take().as_str()), ((0, 0), "1> 2> 3>"));
    }
}

#[test]
fn an_adaptive_limit_keeps_its_limit_latency_and_calls_in_flight() {
    for lane in LANES {
        let limit = AdaptiveLimit::aimd(SECOND).initial(10).window(1);
        let handles = limit.handles();
        let rig = rig(limit);
        let usage = || {
            let AdaptiveUsage {
                limit, in_flight, ..
            } = handles.get("task").expect("registered").usage();
            (limit, in_flight)
        };
        assert_eq!(rig.passed(100), 0);
        let lowered = usage().0;
        assert!(lowered < 10, "{lowered}");
        let outcome = rig.across_a_swap(lane, 1, || assert_eq!(usage(), (lowered, 1)));
        assert_eq!(outcome, Ok(2));
        assert_eq!(usage().1, 0);
        let policy = handles.get("task").expect("registered");
        assert!(policy.latency().is_some());
    }
}

#[test]
fn an_exhausted_budget_stays_exhausted() {
    for lane in LANES {
        let budget = Budget::new(0.001).minimum_per_second(0).burst(1);
        let retry = Retry::fixed(2, Duration::ZERO).budget(budget);
        let handles = retry.handles();
        let rig = rig(retry);
        let outcome = rig.across_a_swap(lane, 100, || ());
        assert_eq!(outcome, Err(Error::Handler(Down)));
        let policy = handles.get("task").expect("registered");
        assert_eq!((policy.repeats(), policy.exhausted()), (1, 0));
        assert_eq!(rig.passed(100), 0);
        assert_eq!((policy.repeats(), policy.exhausted()), (1, 2));
    }
}

#[test]
fn a_hedge_keeps_its_latencies_and_its_budget() {
    for lane in LANES {
        let hedge = Hedge::quantile(0.5)
            .samples(1)
            .min_delay(HOUR)
            .budget(Budget::new(0.5).minimum_per_second(0).burst(1));
        let handles = hedge.handles();
        let rig = rig(hedge);
        let policy = handles.get("task").expect("registered");
        assert!(policy.try_hedge(Duration::ZERO));
        let outcome = rig.across_a_swap(lane, 1, || assert_eq!(policy.samples(), 0));
        assert_eq!((outcome, policy.samples()), (Ok(2), 1));
        rig.swap();
        assert_eq!(handles.all().len(), 1);
        let policy = handles.get("task").expect("registered");
        assert_eq!(policy.delay(), Some(HOUR));
        assert!(!policy.try_hedge(Duration::ZERO));
    }
}

#[test]
fn chaos_goes_on_with_its_sequence() {
    let swapped = rig(Chaos::seeded(7).failures(0.5));
    let same = rig(Chaos::seeded(7).failures(0.5));
    for _ in 0..50 {
        swapped.swap();
        assert_eq!(
            swapped.both(1).map(|outcome| outcome.is_ok()),
            same.both(1).map(|outcome| outcome.is_ok())
        );
    }
}

#[test]
fn metrics_go_on_counting_and_see_the_end_of_a_running_dispatch() {
    for lane in LANES {
        let metrics = Metrics::new();
        let rig = rig(metrics.layer());
        let counts = || {
            let snapshot = metrics.snapshot();
            let route = snapshot.route("task").expect("registered");
            (route.count(), route.replies(), route.in_flight())
        };
        assert_eq!(rig.passed(1), 2);
        let outcome = rig.across_a_swap(lane, 1, || {
            assert_eq!(rig.passed(1), 2);
            assert_eq!(counts(), (4, 4, 1));
        });
        assert_eq!((outcome, counts()), (Ok(2), (5, 5, 0)));
    }
}

#[test]
fn a_timeout_changed_by_hand_stays() {
    let timeout = Timeout::new(SECOND);
    let handles = timeout.handles();
    let rig = rig(timeout);
    let policy = || handles.get("task").expect("registered");
    policy().set_timeout(HOUR).expect("in range");
    rig.swap();
    assert_eq!(policy().timeout(), HOUR);
}
