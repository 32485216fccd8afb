//! Checks the rate limit against a bucket that is filled drop by drop.

use std::time::Duration;

use arcbus::middleware::rate_limit::{Rate, RateLimitPolicy};
use proptest::prelude::*;

/// The longest time in which an empty bucket may fill: a hundred years, in nanoseconds.
const LONGEST_FILL: u64 = 100 * 365 * 24 * 60 * 60 * 1_000_000_000;

/// A bucket that is filled drop by drop, where a drop is a nanosecond's part of a token.
struct Model {
    interval: u128,
    burst: u128,
    level: u128,
    filled_at: u128,
}

impl Model {
    fn new(interval: u64, burst: u32) -> Self {
        let (interval, burst) = (u128::from(interval), u128::from(burst));
        Self {
            interval,
            burst,
            level: interval * burst,
            filled_at: 0,
        }
    }

    fn fill(&mut self, now: u64) {
        let now = u128::from(now);
        self.level = (self.level + now - self.filled_at).min(self.interval * self.burst);
        self.filled_at = now;
    }

    /// Takes tokens, or returns the nanoseconds to wait.
    fn take(&mut self, now: u64, count: u32) -> Result<(), Option<u128>> {
        self.fill(now);
        let cost = self.interval * u128::from(count);
        if u128::from(count) > self.burst {
            return Err(None);
        }
        let left = self.level.checked_sub(cost);
        self.level = left.ok_or_else(|| Some(cost - self.level))?;
        Ok(())
    }
}

#[derive(Clone, Debug)]
enum Step {
    Pass(u64),
    Take(u32),
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        (0_u64..5000).prop_map(Step::Pass),
        (0_u32..8).prop_map(Step::Take),
        Just(Step::Take(1)),
    ];
    proptest::collection::vec(step, 1..80)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_rate_limit_behaves_like_a_token_bucket(
        interval in 1_u64..3000,
        burst in 1_u32..6,
        start in 0_u64..1 << 63,
        steps in steps(),
    ) {
        let rate = Rate::every(Duration::from_nanos(interval)).burst(burst);
        let policy = RateLimitPolicy::new(rate).unwrap();
        let mut model = Model::new(interval, burst);
        let mut now = start;
        for step in steps {
            match step {
                Step::Pass(nanos) => now += nanos,
                Step::Take(count) => {
                    let expected = model.take(now, count);
                    let taken = policy.check_n(Duration::from_nanos(now), count);
                    let waits = taken.map_err(|refused| refused.retry_after().map(|after| after.as_nanos()));
                    prop_assert_eq!(waits, expected, "{} at {}", count, now - start);
                }
            }
            model.fill(now);
            let available = policy.available(Duration::from_nanos(now));
            prop_assert_eq!(u128::from(available), model.level / model.interval);
        }
    }

    #[test]
    fn no_window_lets_more_through_than_burst_and_rate(
        interval in 1_u64..500,
        burst in 1_u32..6,
        gaps in proptest::collection::vec(0_u64..400, 1..200),
    ) {
        let policy = RateLimitPolicy::new(Rate::every(Duration::from_nanos(interval)).burst(burst)).unwrap();
        let mut now = 0;
        let mut passed = Vec::new();
        for gap in gaps {
            now += gap;
            if policy.check(Duration::from_nanos(now)).is_ok() {
                passed.push(now);
            }
        }
        for (from, first) in passed.iter().enumerate() {
            for (to, last) in passed.iter().enumerate().skip(from) {
                let most = u64::from(burst) + (last - first) / interval;
                prop_assert!((to - from + 1) as u64 <= most);
            }
        }
    }

    #[test]
    fn a_policy_keeps_its_rate_or_a_little_less(
        count in 1_u32..=1_000_000_000,
        nanos in 1_u64..LONGEST_FILL,
        burst in 1_u32..,
    ) {
        let rate = Rate::new(count, Duration::from_nanos(nanos)).burst(burst);
        let policy = RateLimitPolicy::new(rate);
        prop_assume!(policy.is_ok());
        prop_assert_eq!(policy.unwrap().rate(), rate);
        let asked = nanos as f64 / f64::from(count);
        let kept = rate.interval().as_nanos() as f64;
        prop_assert!(kept >= asked * (1.0 - 1e-12), "{kept} for {asked}");
        prop_assert!(kept <= asked * (1.0 + 1.0 / 33e6) + 1.0, "{kept} for {asked}");
    }
}
