//! The backoff alone, and the policy of a retry without a bus.

use std::time::Duration;

use arcbus::middleware::retry::{Backoff, Jitter};

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
fn a_decorrelated_delay_grows_from_the_previous_delay() {
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
fn delays_do_not_overflow() {
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
