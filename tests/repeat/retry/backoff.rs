//! The backoff alone, and a policy without a bus.

use std::time::Duration;

use arcbus::middleware::retry::{Backoff, Jitter, RetryPolicy};
use proptest::prelude::*;

use crate::asking::ms;

const NONE: Duration = Duration::ZERO;

fn delays(backoff: Backoff, unit: f64) -> [Duration; 4] {
    [1, 2, 3, 4].map(|failed| backoff.delay(failed, unit, NONE))
}

#[test]
fn a_jitter_spreads_a_delay_over_its_range() {
    let exponential = Backoff::exponential(ms(100));
    assert_eq!(delays(exponential, 0.0), [NONE; 4]);
    assert_eq!(delays(exponential, 0.5), [50, 100, 200, 400].map(ms));
    assert_eq!(delays(exponential, 1.0), [100, 200, 400, 800].map(ms));
    let equal = exponential.jitter(Jitter::Equal);
    assert_eq!(delays(equal, 0.0), [50, 100, 200, 400].map(ms));
    assert_eq!(delays(equal, 0.5), [75, 150, 300, 600].map(ms));
    let none = exponential.jitter(Jitter::None);
    assert_eq!(delays(none, 0.3), [100, 200, 400, 800].map(ms));
    assert_eq!(delays(Backoff::fixed(ms(7)), 0.3), [ms(7); 4]);
    assert_eq!(delays(Backoff::linear(ms(7)), 0.3), [7, 14, 21, 28].map(ms));
}

#[test]
fn a_decorrelated_delay_grows_from_the_one_before() {
    let backoff = Backoff::exponential(ms(10))
        .jitter(Jitter::Decorrelated)
        .max_delay(ms(100));
    assert_eq!(backoff.delay(1, 0.0, NONE), ms(10));
    assert_eq!(backoff.delay(1, 1.0, NONE), ms(30));
    assert_eq!(backoff.delay(2, 0.5, ms(30)), ms(50));
    assert_eq!(backoff.delay(2, 0.0, ms(30)), ms(10));
    assert_eq!(backoff.delay(3, 1.0, ms(50)), ms(100));
    assert_eq!(
        [1, 2, 3].map(|failed| backoff.longest(failed)),
        [30, 90, 100].map(ms)
    );
}

#[test]
fn nothing_overflows() {
    let day = ms(24 * 60 * 60 * 1_000);
    let wide = |backoff: Backoff| backoff.max_delay(day).delay(u32::MAX, 1.0, Duration::MAX);
    assert_eq!(wide(Backoff::exponential(day).factor(100.0)), day);
    assert_eq!(
        wide(Backoff::exponential(day).jitter(Jitter::Decorrelated)),
        day
    );
    assert_eq!(wide(Backoff::linear(day)), day);
    assert_eq!(Backoff::linear(ms(1)).delay(0, 1.0, NONE), ms(1));
    assert_eq!(Backoff::exponential(ms(1)).delay(0, 2.0, NONE), ms(1));
}

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
    fn a_delay_is_never_longer_than_it_may_be(
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
    fn a_course_repeats_as_long_as_a_plain_rule_says(
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
