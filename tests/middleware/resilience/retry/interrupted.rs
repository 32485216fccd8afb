//! Retries of callers that go away, or whose time is over.

use std::time::Duration;

use arcbus::middleware::bulkhead::BulkheadPolicy;
use arcbus::middleware::{Budget, Bulkhead, Handles, Retry, Timeout};
use arcbus::{CancelToken, Class, Context, Error, Phase, QueryBus, TimeLimit};

use crate::acts::ready;
use crate::asking::{Cancels, FAIL, Step, down, ms, query, rig};

fn second_waits(attempt: u32) -> Step {
    if attempt == 1 { FAIL } else { Step::Wait }
}

#[test]
fn a_caller_that_cancels_in_a_pause_gets_the_last_error() {
    let budget = Budget::new(0.001).burst(1);
    let retry = Retry::fixed(2, ms(10)).budget(budget.clone());
    let rig = rig(QueryBus::builder().layer(retry));
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut dispatch = Box::pin(rig.bus.execute_with(query(|_| FAIL), cx));
    assert_eq!(rig.poll(dispatch.as_mut()), None);
    assert_eq!(budget.available(), 0.0);
    token.cancel();
    assert_eq!(
        rig.poll(dispatch.as_mut()),
        Some(Err(down(Class::Transient)))
    );
    assert_eq!((rig.attempts().as_str(), budget.available()), ("1", 1.0));
}

#[test]
fn a_blocking_caller_that_cancels_in_a_pause_gets_the_last_error() {
    let retry = Retry::fixed(2, ms(10));
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry));
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let blocked = rig.block_with(
        |_| FAIL,
        cx,
        || {
            if rig.steps.contain("1@0") {
                token.cancel();
            }
        },
    );
    assert_eq!(
        (blocked, rig.attempts()),
        (Err(down(Class::Transient)), "1".into())
    );
    assert_eq!(handles.get("ask").expect("registered").repeats(), 0);
}

#[test]
fn no_attempt_follows_a_cancellation_during_an_attempt() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(3, Duration::ZERO)));
    let cancelling = || {
        let token = CancelToken::new();
        Context::new().cancel_on(token.clone()).with(Cancels(token))
    };
    let blocked = rig.bus.execute_blocking_with(query(|_| FAIL), cancelling());
    assert_eq!(
        (blocked, rig.attempts()),
        (Err(down(Class::Transient)), "1".into())
    );
    let awaited = ready(rig.bus.execute_with(query(|_| FAIL), cancelling()));
    assert_eq!(
        (awaited, rig.attempts()),
        (Some(Err(down(Class::Transient))), "1".into())
    );
}

#[test]
fn a_cancellation_reaches_the_handler_in_every_attempt() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(2, ms(1))));
    for (script, steps) in [
        ((|_| Step::Wait) as fn(u32) -> Step, "1 gone"),
        (second_waits, "1 2 gone"),
    ] {
        let token = CancelToken::new();
        let cx = Context::new().cancel_on(token.clone());
        let mut dispatch = Box::pin(rig.bus.execute_with(query(script), cx));
        for _ in 0..4 {
            assert_eq!(rig.poll(dispatch.as_mut()), None);
            rig.clock.advance(ms(1));
        }
        token.cancel();
        let phase = Phase::Indeterminate;
        let stopped = rig.poll(dispatch.as_mut());
        assert_eq!(stopped, Some(Err(Error::Cancelled { phase })));
        drop(dispatch);
        assert_eq!(rig.attempts(), steps);
    }
}

#[test]
fn a_handler_sees_the_cancellation_in_its_context() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(2, ms(1))));
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let second_ends = |attempt| {
        if attempt == 1 {
            FAIL
        } else {
            Step::UntilCancelled
        }
    };
    let mut dispatch = Box::pin(rig.bus.execute_with(query(second_ends), cx));
    for _ in 0..3 {
        assert_eq!(rig.poll(dispatch.as_mut()), None);
        rig.clock.advance(ms(1));
    }
    token.cancel();
    assert_eq!(rig.poll(dispatch.as_mut()), Some(Ok(2)), "polled once more");
}

#[test]
fn a_clock_that_jumps_over_the_deadline_ends_a_pause_with_the_last_error() {
    let rig = rig(QueryBus::builder().layer(Retry::fixed(2, ms(10))));
    let cx = Context::new().timeout(ms(20));
    let mut dispatch = Box::pin(rig.bus.execute_with(query(|_| FAIL), cx));
    assert_eq!(rig.poll(dispatch.as_mut()), None);
    rig.clock.advance(ms(20));
    assert_eq!(
        rig.poll(dispatch.as_mut()),
        Some(Err(down(Class::Transient)))
    );
    assert_eq!(rig.attempts(), "1");
}

#[test]
fn an_outer_timeout_bounds_all_attempts_together() {
    let layers = || {
        QueryBus::builder()
            .layer(Timeout::new(ms(25)))
            .layer(Retry::fixed(9, ms(10)))
    };
    let rig = rig(layers());
    assert_eq!(rig.run(|_| FAIL), Err(down(Class::Transient)));
    assert_eq!(
        rig.steps.take(),
        "1@0 2@10 3@20",
        "the next pause would end too late"
    );
    let outcome = rig.run(second_waits);
    let (phase, elapsed) = (Phase::Indeterminate, ms(25));
    assert_eq!(
        outcome,
        Err(Error::Timeout {
            phase,
            elapsed,
            limit: TimeLimit::Layer
        })
    );
    assert_eq!(rig.attempts(), "1 2 gone");
}

#[test]
fn an_outer_timeout_bounds_a_blocking_retry_too() {
    let retry = Retry::fixed(9, ms(1));
    let handles = retry.handles();
    let hour = Duration::from_secs(3600);
    let rig = rig(QueryBus::builder().layer(Timeout::new(hour)).layer(retry));
    let policy = handles.get("ask").expect("registered");
    let clock = rig.clock.clone();
    let blocked = rig.block_with(second_waits, Context::new(), || {
        // The clock moves after the second attempt has started, because before that the pause would
        // end too late.
        clock.advance(if policy.repeats() == 0 { ms(1) } else { hour });
    });
    assert!(blocked.is_err_and(|error| error.is_timeout() && error.is_indeterminate()));
    assert_eq!(rig.attempts(), "1 2 gone");
}

#[test]
fn a_grace_ends_a_pause_with_the_last_error() {
    let timeout = Timeout::new(ms(25)).grace(ms(10));
    let rig = rig(QueryBus::builder()
        .layer(timeout)
        .layer(Retry::fixed(9, ms(10))));
    let mut dispatch = Box::pin(rig.bus.execute(query(|_| FAIL)));
    assert_eq!(rig.poll(dispatch.as_mut()), None);
    rig.clock.advance(ms(26));
    assert_eq!(
        rig.poll(dispatch.as_mut()),
        Some(Err(down(Class::Transient)))
    );
    assert_eq!(rig.attempts(), "1");
}

#[test]
fn a_retry_dropped_at_any_wait_holds_no_permit_and_no_budget() {
    let budget = Budget::new(1.0).minimum_per_second(0).burst(5);
    let (outer, inner) = (Bulkhead::new(1), Bulkhead::new(1));
    let handles = [outer.handles(), inner.handles()];
    let retry = Retry::fixed(3, ms(1)).budget(budget.clone());
    let rig = rig(QueryBus::builder().layer(outer).layer(retry).layer(inner));
    let third_waits = |attempt| if attempt < 3 { FAIL } else { Step::Wait };
    for polls in 0..=4_u32 {
        let mut dispatch = Box::pin(rig.bus.execute(query(third_waits)));
        for _ in 0..polls {
            assert_eq!(rig.poll(dispatch.as_mut()), None);
            rig.clock.advance(ms(1));
        }
        let begun = rig.attempts();
        assert_eq!(begun, ["", "1", "1 2", "1 2 3", "1 2 3"][polls as usize]);
        drop(dispatch);
        assert_eq!(
            handles.each_ref().map(in_use),
            [0, 0],
            "after {polls} polls"
        );
        let repeats = f64::from(polls.saturating_sub(1).min(2));
        assert_eq!(budget.available(), 5.0 - repeats, "after {polls} polls");
        (0..5).for_each(|_| budget.deposit());
        let _ = rig.attempts();
    }
    assert_eq!(rig.run(|_| Step::Reply), Ok(1));
}

fn in_use(handles: &Handles<BulkheadPolicy>) -> usize {
    handles.get("ask").expect("registered").usage().in_use
}
