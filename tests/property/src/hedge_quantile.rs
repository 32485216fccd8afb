//! Checks the quantile of latencies after which a hedge begins against a quantile computed by sorting.

use std::time::Duration;

use arcbus::middleware::Hedge;
use arcbus::middleware::hedge::HedgePolicy;
use proptest::prelude::*;

/// Asserts that the delay is at most a sixteenth above the exact value, which is the precision of the
/// histogram.
fn assert_near(delay: Option<Duration>, exact: Duration) {
    let delay = delay.expect("enough samples");
    assert!(
        exact <= delay && delay <= exact + exact / 16,
        "{delay:?}, not {exact:?}"
    );
}

/// A model of the policy, which computes its quantile by sorting.
struct Model {
    part: f64,
    window: usize,
    samples: Vec<u64>,
}

impl Model {
    /// Returns the exact quantile, and the number of samples.
    fn quantile(&self) -> Option<(u64, usize)> {
        let complete = self.samples.len() / self.window * self.window;
        let from = complete.saturating_sub(2 * self.window);
        let mut sorted = self.samples[from..complete].to_vec();
        sorted.sort_unstable();
        let rank = (sorted.len() as f64 * self.part).ceil() as usize;
        Some((*sorted.get(rank.checked_sub(1)?)?, sorted.len()))
    }

    fn compare(&self, policy: &HedgePolicy) {
        match self.quantile() {
            None => assert_eq!((policy.delay(), policy.samples()), (None, 0)),
            Some((exact, samples)) => {
                assert_eq!(policy.samples(), samples as u64);
                assert_near(policy.delay(), Duration::from_nanos(exact));
            }
        }
    }
}

fn latencies() -> impl Strategy<Value = u64> {
    prop_oneof![
        0..64_u64,
        0..100_000_u64,
        (0..30_u32).prop_map(|power| 1 << power)
    ]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_quantile_covers_the_last_two_windows(
        part in 0.01..0.99_f64,
        window in 1..20_u32,
        steps in prop::collection::vec((latencies(), prop::bool::weighted(0.8)), 1..120),
    ) {
        let policy = Hedge::quantile(part).samples(window).policy().expect("in range");
        let mut model = Model { part, window: window as usize, samples: Vec::new() };
        for (nanos, is_answered) in steps {
            let latency = Duration::from_nanos(nanos);
            if is_answered {
                policy.answered(latency);
            } else {
                policy.cut_short(latency);
            }
            // A call that was cut short is a sample only if it lasted past the delay.
            if is_answered || policy_delay_before(&model).is_some_and(|delay| latency >= delay) {
                model.samples.push(nanos);
            }
            model.compare(&policy);
        }
    }
}

/// Returns the delay before the last step, which is the upper bound of the exact value's bucket.
fn policy_delay_before(model: &Model) -> Option<Duration> {
    let (exact, _) = model.quantile()?;
    let width = 1_u64 << (exact | 16).ilog2().saturating_sub(4);
    Some(Duration::from_nanos(exact / width * width + width - 1))
}
