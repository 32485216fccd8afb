//! Budgets: how many repeats they let through, and what goes back.

use std::time::Duration;

use arcbus::middleware::Budget;
use proptest::prelude::*;

const START: Duration = Duration::from_secs(60);

/// One that saves only.
fn saving(ratio: f64, burst: u32) -> Budget {
    Budget::new(ratio).minimum_per_second(0).burst(burst)
}

/// How many repeats it lets through at `now`.
fn taken(budget: &Budget, now: Duration) -> u32 {
    (0..10_000)
        .take_while(|_| budget.try_take(now))
        .count()
        .try_into()
        .expect("fewer")
}

#[test]
fn a_full_budget_has_its_burst_and_then_its_minimum() {
    let budget = Budget::new(0.2).burst(7).minimum_per_second(3);
    assert_eq!(budget.available(), 7.0);
    assert_eq!(taken(&budget, START), 10);
    assert_eq!((budget.available(), budget.exhausted()), (0.0, 1));
}

#[test]
fn the_default_is_a_fifth_and_ten_a_second() {
    let budget = Budget::default();
    assert_eq!(taken(&budget, START), 110);
    assert_eq!(taken(&budget, START + Duration::from_secs(9)), 10);
    (0..50).for_each(|_| budget.deposit());
    assert_eq!(taken(&budget, START + Duration::from_secs(9)), 10);
}

#[test]
fn a_quiet_service_has_its_minimum_each_second() {
    let budget = saving(0.001, 1).minimum_per_second(2);
    assert_eq!(taken(&budget, START), 3);
    for second in 1..=5 {
        let now = START + Duration::from_secs(second);
        assert_eq!(taken(&budget, now), 2, "in second {second}");
    }
    let half = START + Duration::from_millis(5_500);
    assert_eq!(taken(&budget, half), 1);
}

#[test]
fn messages_pay_in_their_share_and_no_more_than_the_burst() {
    let budget = saving(0.25, 2);
    assert_eq!(taken(&budget, START), 2);
    (0..3).for_each(|_| budget.deposit());
    assert_eq!((taken(&budget, START), budget.available()), (0, 0.75));
    budget.deposit();
    assert_eq!(taken(&budget, START), 1);
    (0..1_000).for_each(|_| budget.deposit());
    assert_eq!((budget.available(), taken(&budget, START)), (2.0, 2));
}

#[test]
fn a_ratio_above_one_pays_for_several() {
    let budget = saving(10.0, 100);
    assert_eq!(taken(&budget, START), 100);
    budget.deposit();
    assert_eq!(taken(&budget, START), 10);
}

#[test]
fn clones_are_one_budget_and_settings_make_another() {
    let budget = saving(1.0, 1);
    let clone = budget.clone();
    assert!(clone.try_take(START));
    assert!(!budget.try_take(START));
    assert_eq!((clone.exhausted(), clone.available()), (1, 0.0));
    let other = budget.clone().burst(2);
    assert_eq!((other.available(), other.exhausted()), (2.0, 0));
    assert_eq!(budget.available(), 0.0);
}

#[test]
fn settings_out_of_range_are_named() {
    let field = |budget: Budget| budget.check().err().map(|invalid| invalid.field());
    for ratio in [0.0, 0.000_9, -0.2, 10.1, f64::NAN, f64::INFINITY] {
        assert_eq!(field(Budget::new(ratio)), Some("Budget.ratio"), "{ratio}");
    }
    let minimum = |repeats| field(Budget::default().minimum_per_second(repeats));
    let burst = |burst| field(Budget::default().burst(burst));
    assert_eq!(minimum(1_000_001), Some("Budget.minimum_per_second"));
    assert_eq!(burst(0), Some("Budget.burst"));
    assert_eq!(burst(1_000_001), Some("Budget.burst"));
    for ratio in [0.001, 10.0] {
        assert_eq!(field(Budget::new(ratio)), None);
    }
    for repeats in [0, 1_000_000] {
        assert_eq!(minimum(repeats), None);
    }
    for repeats in [1, 1_000_000] {
        assert_eq!(burst(repeats), None);
    }
}

#[test]
fn it_shows_itself() {
    let budget = saving(0.5, 3);
    assert!(budget.try_take(START));
    let shown = format!("{budget:?}");
    assert!(
        shown.contains("ratio: 0.5") && shown.contains("available: 2.0"),
        "{shown}"
    );
}

#[derive(Clone, Copy, Debug)]
enum Step {
    Messages(u32),
    Repeats(u32),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        (0_u32..40).prop_map(Step::Messages),
        (0_u32..20).prop_map(Step::Repeats),
        (0_u64..3_000).prop_map(Step::Wait),
    ]
}

proptest! {
    /// In thousandths, with nothing missing kept.
    #[test]
    fn it_saves_what_a_plain_sum_says(
        ratio in 1_u32..=10_000,
        burst in 1_u32..20,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let budget = saving(f64::from(ratio) / 1_000.0, burst);
        let most = burst * 1_000;
        let mut saved = most;
        for step in steps {
            match step {
                Step::Messages(messages) => for _ in 0..messages {
                    budget.deposit();
                    saved = (saved + ratio).min(most);
                },
                Step::Repeats(repeats) => for _ in 0..repeats {
                    let allowed = saved >= 1_000;
                    prop_assert_eq!(budget.try_take(START), allowed);
                    saved -= if allowed { 1_000 } else { 0 };
                },
                Step::Wait(_) => {}
            }
            prop_assert_eq!(budget.available(), f64::from(saved) / 1_000.0);
        }
    }

    #[test]
    fn repeats_are_bounded_by_messages_and_time(
        ratio in 1_u32..=1_000,
        burst in 1_u32..20,
        minimum in 0_u32..10,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let ratio = f64::from(ratio) / 1_000.0;
        let budget = Budget::new(ratio).burst(burst).minimum_per_second(minimum);
        let (mut now, mut messages, mut repeats) = (START, 0, 0);
        for step in steps {
            match step {
                Step::Messages(count) => {
                    messages += count;
                    (0..count).for_each(|_| budget.deposit());
                }
                Step::Repeats(count) => {
                    repeats += (0..count).filter(|_| budget.try_take(now)).count();
                }
                Step::Wait(millis) => now += Duration::from_millis(millis),
            }
            let seconds = (now - START).as_secs_f64() + 1.0;
            let most = f64::from(burst) + ratio * f64::from(messages) + f64::from(minimum) * seconds;
            prop_assert!(repeats as f64 <= most + 1e-6, "{} of {}", repeats, most);
        }
    }
}
