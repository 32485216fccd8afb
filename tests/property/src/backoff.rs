//! Delays between attempts: never longer than allowed, and as many as a plain rule says.

use std::time::Duration;

use arcbus::middleware::retry::{Backoff, Jitter, RetryPolicy};
use proptest::prelude::*;

use crate::ms;

const NONE: Duration = Duration::ZERO;

fn jitter() -> impl Strategy<Value = Jitter> {
    use Jitter::{Decorrelated, Equal, Full, None};
    prop::sample::select(vec![None, Full, Equal, Decorrelated])
}

fn backoff() -> impl Strategy<Value = Backoff> {
    let shape = prop_oneof![
        (0_u64..100).prop_map(|base| Backoff::fixed(ms(base))),
        (1_u64..100).prop_map(|base| Backoff::linear(ms(base))),
        (1_u64..100, 1.0..10.0).prop_map(|(base, by)| Backoff::exponential(ms(base)).factor(by)),
    ];
    (shape, jitter(), 100_u64..5_000)
        .prop_map(|(shape, jitter, most)| shape.jitter(jitter).max_delay(ms(most)))
}

proptest! {
    #[test]
    fn a_delay_never_exceeds_its_longest(
        backoff in backoff(),
        units in prop::collection::vec(0.0..1.0, 1..20),
    ) {
        prop_assert!(backoff.check().is_ok());
        let mut previous = NONE;
        for (failed, unit) in (1..).zip(units) {
            previous = backoff.delay(failed, unit, previous);
            prop_assert!(previous <= backoff.longest(failed), "{previous:?} after {failed}");
            prop_assert!(backoff.longest(failed) <= backoff.longest_delay());
        }
    }

    #[test]
    fn a_message_is_repeated_as_often_as_a_plain_rule_says(
        attempts in 1_u32..=6,
        delay in 0_u64..20,
        expiry in prop::option::of(0_u64..80),
        after in prop::collection::vec(prop::option::of(0_u64..40), 6),
    ) {
        let policy = RetryPolicy::new(attempts, Backoff::fixed(ms(delay)).max_delay(ms(30))).unwrap();
        let mut course = policy.first_failed();
        let mut now = 0;
        let mut repeats = 0;
        for after in after {
            let pause = after.unwrap_or(0) + delay;
            let begins = now + pause;
            let in_time = pause <= 30 && expiry.is_none_or(|expiry| begins < expiry);
            let expected = repeats + 1 < attempts && in_time;
            let at = course.next_at(ms(now), after.map(ms), expiry.map(ms));
            prop_assert_eq!(at, expected.then_some(ms(begins)));
            if !expected {
                break;
            }
            repeats += 1;
            prop_assert_eq!(course.begin(), repeats + 1);
            now = begins;
        }
        prop_assert_eq!(policy.repeats(), u64::from(repeats));
        prop_assert_eq!(policy.gave_up(), u64::from(repeats + 1 == attempts));
    }
}
