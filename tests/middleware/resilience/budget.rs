//! Budgets: the number of repeats that they allow, and the tokens that are given back.

use std::time::Duration;

use arcbus::middleware::Budget;

const START: Duration = Duration::from_secs(60);

/// Returns a budget that has only its savings, without a minimum.
fn saving(ratio: f64, burst: u32) -> Budget {
    Budget::new(ratio).minimum_per_second(0).burst(burst)
}

/// Returns how many repeats the budget allows at `now`.
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
fn messages_deposit_their_share_up_to_the_burst() {
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
fn clones_share_a_budget_and_changed_settings_make_another() {
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
fn a_budget_shows_itself() {
    let budget = saving(0.5, 3);
    assert!(budget.try_take(START));
    let shown = format!("{budget:?}");
    assert!(
        shown.contains("ratio: 0.5") && shown.contains("available: 2.0"),
        "{shown}"
    );
}
