//! The settings of a retry: their ranges, their display, and the facts that they state.

use std::time::Duration;

use arcbus::middleware::retry::{Backoff, Jitter, RetryPolicy};
use arcbus::middleware::{Budget, Retry};
use arcbus::{Error, Facts, Layer, QueryBus, RegistrationError};

use crate::asking::{Ask, Down, ms};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Returns the setting for which a registration is refused, if any.
fn refused(retry: Retry) -> Option<&'static str> {
    let by = retry.clone().retry_if(|_: &Error<Down>| true);
    let handler = || arcbus::from_fn(|_: Ask, _: &arcbus::Context<'_>| Ok(1));
    let field = |error| match error {
        RegistrationError::InvalidSetting(invalid) => invalid.field(),
        other => panic!("{other}"),
    };
    let plain = QueryBus::builder().layer(retry).register(handler()).build();
    let by = QueryBus::builder().layer(by).register(handler()).build();
    let (plain, by) = (plain.err().map(field), by.err().map(field));
    assert_eq!(plain, by);
    plain
}

#[test]
fn attempts_are_from_one_to_a_hundred() {
    for (attempts, field) in [
        (0, Some("Retry.attempts")),
        (1, None),
        (100, None),
        (101, Some("Retry.attempts")),
        (u32::MAX, Some("Retry.attempts")),
    ] {
        assert_eq!(refused(Retry::fixed(attempts, ms(1))), field, "{attempts}");
        let policy = RetryPolicy::new(attempts, Backoff::fixed(ms(1)));
        assert_eq!(policy.err().map(|invalid| invalid.field()), field);
    }
}

#[test]
fn a_delay_is_within_its_maximum_and_zero_only_if_fixed() {
    let zero = Duration::ZERO;
    let longer = Duration::from_secs(30) + Duration::from_nanos(1);
    assert_eq!(refused(Retry::fixed(2, zero)), None);
    assert_eq!(refused(Retry::linear(2, zero)), Some("Retry.delay"));
    assert_eq!(refused(Retry::exponential(2, zero)), Some("Retry.delay"));
    assert_eq!(refused(Retry::fixed(2, Duration::from_secs(30))), None);
    assert_eq!(refused(Retry::fixed(2, longer)), Some("Retry.delay"));
    assert_eq!(refused(Retry::fixed(2, DAY).max_delay(DAY)), None);
    let longer = DAY + Duration::from_nanos(1);
    assert_eq!(
        refused(Retry::fixed(2, zero).max_delay(longer)),
        Some("Retry.max_delay")
    );
    assert_eq!(
        refused(Retry::fixed(2, zero).max_delay(zero)),
        Some("Retry.max_delay")
    );
}

#[test]
fn a_factor_is_from_one_to_a_hundred_and_needs_exponential_backoff() {
    for factor in [1.0, 100.0] {
        assert_eq!(refused(Retry::exponential(2, ms(1)).factor(factor)), None);
    }
    for factor in [0.99, 100.1, f64::NAN, f64::INFINITY] {
        let retry = Retry::exponential(2, ms(1)).factor(factor);
        assert_eq!(refused(retry), Some("Retry.factor"), "{factor}");
    }
    assert_eq!(
        refused(Retry::fixed(2, ms(1)).factor(2.0)),
        Some("Retry.factor")
    );
    assert_eq!(
        refused(Retry::linear(2, ms(1)).factor(2.0)),
        Some("Retry.factor")
    );
}

#[test]
fn a_budget_out_of_range_is_refused_with_the_layer() {
    let retry = || Retry::fixed(2, ms(1));
    assert_eq!(
        refused(retry().budget(Budget::new(0.0))),
        Some("Budget.ratio")
    );
    assert_eq!(
        refused(retry().budget(Budget::new(0.0)).without_budget()),
        None
    );
}

#[test]
fn a_retry_states_its_facts() {
    let facts = |retry: Retry| {
        let by = retry.clone().retry_if(|_: &Error<Down>| true);
        assert_eq!(Layer::<Ask>::facts(&by), Layer::<Ask>::facts(&retry));
        Layer::<Ask>::facts(&retry)
    };
    let expected = |attempts, waits, note: &str| {
        let longest = Duration::from_secs(30) * (attempts - 1);
        let facts = Facts::new().attempts(attempts).waits(waits);
        facts.waits_as_told(longest).live().note(note)
    };
    let note = "3 attempts, 50ms times 2, full jitter, budget of 0.2 a message, 10 a second";
    assert_eq!(
        facts(Retry::exponential(3, ms(50))),
        expected(3, ms(150), note)
    );
    let note = "4 attempts, 10ms more each, no jitter, no budget";
    assert_eq!(
        facts(Retry::linear(4, ms(10)).without_budget()),
        expected(4, ms(60), note)
    );
    let note = "2 attempts, 7ms each, equal jitter, no budget";
    let retry = Retry::fixed(2, ms(7)).jitter(Jitter::Equal);
    assert_eq!(facts(retry.without_budget()), expected(2, ms(7), note));
    let note = "1 attempts, 7ms each, no jitter, no budget";
    assert_eq!(
        facts(Retry::fixed(1, ms(7)).without_budget()),
        expected(1, ms(0), note)
    );
}

#[test]
fn retry_types_show_themselves() {
    let retry = Retry::fixed(2, ms(7));
    let shown = format!(
        "{:?} {:?}",
        retry,
        retry.clone().retry_if(|_: &Error<Down>| true)
    );
    assert!(
        shown.contains("attempts: 2") && shown.contains("Retry {"),
        "{shown}"
    );
    let policy = RetryPolicy::new(2, Backoff::fixed(ms(7))).expect("in range");
    assert!(format!("{policy:?} {:?}", policy.first_failed()).contains("Course"));
}
