//! Repeats that are bounded by a budget, shared or of the layer itself.

use std::time::Duration;

use arcbus::middleware::{Budget, Retry};
use arcbus::{Class, QueryBus};

use crate::asking::{FAIL, Step, down, ms, rig};

/// Returns a budget of `burst` repeats, to which each message adds a quarter.
fn budget(burst: u32) -> Budget {
    Budget::new(0.25).minimum_per_second(0).burst(burst)
}

fn at_once(attempts: u32) -> Retry {
    Retry::fixed(attempts, Duration::ZERO)
}

#[test]
fn an_exhausted_budget_returns_the_error_and_stops_no_first_attempt() {
    let budget = budget(1);
    let retry = at_once(3).budget(budget.clone());
    let handles = retry.handles();
    let rig = rig(QueryBus::builder().layer(retry));
    let classes = |attempt| match attempt {
        1 => FAIL,
        _ => Step::Down(Class::Unclassified),
    };
    let [blocked, awaited] = rig.lanes(classes);
    assert_eq!(
        blocked,
        (Err(down(Class::Unclassified)), "1 2".into()),
        "one repeat"
    );
    assert_eq!(awaited, (Err(down(Class::Transient)), "1".into()), "none");
    let policy = handles.get("ask").expect("registered");
    assert_eq!(
        (policy.repeats(), policy.exhausted(), policy.gave_up()),
        (1, 2, 0)
    );
    assert_eq!(budget.exhausted(), 2);
    assert_eq!(rig.both(|_| Step::Reply), (Ok(1), "1".into()));
}

#[test]
fn only_first_attempts_deposit() {
    let budget = budget(3);
    let rig = rig(QueryBus::builder().layer(at_once(9).budget(budget.clone())));
    assert_eq!(rig.run(|_| FAIL), Err(down(Class::Transient)));
    assert_eq!(
        (rig.attempts(), budget.available()),
        ("1 2 3 4".into(), 0.0)
    );
    assert_eq!(rig.run(|_| Step::Reply), Ok(1));
    assert_eq!(
        rig.bus
            .execute_blocking(crate::asking::query(|_| Step::Reply)),
        Ok(1)
    );
    assert_eq!(budget.available(), 0.5);
}

#[test]
fn an_outage_costs_the_ratio_and_the_burst() {
    let rig = rig(QueryBus::builder().layer(at_once(5).budget(budget(10))));
    let messages = 1_000;
    for _ in 0..messages / 2 {
        let _ = rig.run(|_| FAIL);
        let _ = rig.bus.execute_blocking(crate::asking::query(|_| FAIL));
    }
    let attempts = rig.steps.take().split(' ').count();
    let most = messages + messages / 4 + 10;
    assert!(
        (most - 4..=most).contains(&attempts),
        "{attempts} of {most}"
    );
}

#[test]
fn without_a_budget_every_message_is_repeated() {
    let rig = rig(QueryBus::builder().layer(at_once(2).without_budget()));
    for _ in 0..500 {
        assert_eq!(rig.run(|_| FAIL), Err(down(Class::Transient)));
    }
    assert_eq!(rig.steps.take().split(' ').count(), 1_000);
}

#[test]
fn a_layer_has_its_own_budget_unless_set() {
    let rig = rig(QueryBus::builder().layer(at_once(2)));
    for _ in 0..1_000 {
        assert_eq!(rig.run(|_| FAIL), Err(down(Class::Transient)));
    }
    // A burst of 100, a minimum of 10, and a fifth for each message but the first, which finds the
    // budget full.
    assert_eq!(rig.steps.take().split(' ').count(), 1_000 + 100 + 10 + 199);
}

#[test]
fn two_layers_share_a_budget() {
    let budget = budget(2);
    let one = rig(QueryBus::builder().layer(at_once(2).budget(budget.clone())));
    let other = rig(QueryBus::builder().layer(at_once(2).budget(budget)));
    assert_eq!(one.both(|_| FAIL).1, "1 2");
    assert_eq!(other.both(|_| FAIL).1, "1");
}

#[test]
fn a_dropped_pause_returns_its_budget() {
    // The repeat is paid from the savings, or else from the minimum.
    for (budget, saved) in [(budget(1), 1.0), (budget(1).minimum_per_second(1), 0.0)] {
        let rig = rig(QueryBus::builder().layer(Retry::fixed(2, ms(10)).budget(budget.clone())));
        if saved == 0.0 {
            assert!(budget.try_take(rig.since_origin()));
        }
        for polls in 1..=3 {
            let mut dispatch = Box::pin(rig.bus.execute(crate::asking::query(|_| FAIL)));
            for _ in 0..polls {
                assert_eq!(rig.poll(dispatch.as_mut()), None);
                rig.clock.advance(Duration::from_nanos(1));
            }
            drop(dispatch);
        }
        // Three first attempts have deposited less than one repeat.
        assert_eq!(rig.attempts(), "1 1 1");
        assert_eq!(rig.run(|_| FAIL), Err(down(Class::Transient)));
        assert_eq!((rig.attempts().as_str(), budget.exhausted()), ("1 2", 0));
    }
}
