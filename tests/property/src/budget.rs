//! A budget of repeats saves as much as a plain sum says, and bounds the repeats.

use std::time::Duration;

use arcbus::middleware::Budget;
use proptest::prelude::*;

const START: Duration = Duration::from_secs(60);

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
    /// The sum counts in thousandths, and never saves beyond the burst.
    #[test]
    fn a_budget_saves_as_much_as_a_plain_sum(
        ratio in 1_u32..=10_000,
        burst in 1_u32..20,
        steps in prop::collection::vec(step(), 1..60),
    ) {
        let ratio_of_one = f64::from(ratio) / 1_000.0;
        let budget = Budget::new(ratio_of_one).minimum_per_second(0).burst(burst);
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
