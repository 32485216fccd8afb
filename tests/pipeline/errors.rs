//! [`Error`] from outside the crate: the text and predicates of each variant, and its conversions.

use std::error::Error as StdError;
use std::fmt;
use std::time::Duration;

use arcbus::{
    Class, Command, Error, Message, MessageType, Phase, Rejection, RejectionKind, TimeLimit,
    Violations,
};

use crate::acts::Act;

const SECOND: Duration = Duration::from_secs(1);

/// A handler's error that is a standard error and has a cause.
#[derive(Debug, PartialEq)]
struct Broken(fmt::Error);

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("broken")
    }
}

impl StdError for Broken {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

fn violations() -> Violations {
    Violations::new().with("age", "min", "must be at least 18")
}

/// Returns an error of every variant, each with the text that it displays.
fn every_error<E>(handler: E, text: &'static str) -> [(Error<E>, &'static str); 14] {
    let message = MessageType::of::<Act>();
    let (elapsed, retry_after) = (SECOND, SECOND);
    let (before, during) = (Phase::NotStarted, Phase::Indeterminate);
    let timeout = |phase, limit| Error::Timeout {
        phase,
        elapsed,
        limit,
    };
    [
        (
            Error::HandlerNotFound { message },
            "no handler is registered for 'act' (pipeline::acts::Act)",
        ),
        (
            Error::Invalid(violations()),
            "invalid message: 1 violation: age: must be at least 18 (min)",
        ),
        (
            timeout(before, TimeLimit::Caller),
            "timed out after 1s at the caller's deadline: the handler did not run",
        ),
        (
            timeout(during, TimeLimit::Caller),
            "timed out after 1s at the caller's deadline: the handler was running and may have acted",
        ),
        (
            timeout(during, TimeLimit::Layer),
            "timed out after 1s at the limit of the Timeout layer: the handler was running and may \
             have acted",
        ),
        (
            Error::Cancelled { phase: before },
            "cancelled by the caller: the handler did not run",
        ),
        (
            Error::Cancelled { phase: during },
            "cancelled by the caller: the handler was running and may have acted",
        ),
        (
            Error::CircuitOpen { retry_after },
            "circuit breaker is open, retry after 1s",
        ),
        (
            Error::RateLimited { retry_after },
            "rate limit is exhausted, retry after 1s",
        ),
        (
            Error::Overloaded { limit: 8 },
            "overloaded: the limit of 8 is reached",
        ),
        (
            Error::Rejected(Rejection::forbidden("admins only")),
            "rejected: forbidden: admins only",
        ),
        (
            Error::Panicked {
                message: "index out of bounds".into(),
            },
            "handler panicked: index out of bounds",
        ),
        (
            Error::WouldDeadlock { advice: "await it" },
            "would deadlock: await it",
        ),
        (Error::Handler(handler), text),
    ]
}

type Predicate = fn(&Error<String>) -> bool;

/// The predicates, each with the indices of the errors in [`every_error`] for which it holds.
const PREDICATES: [(Predicate, &[usize]); 11] = [
    (Error::is_handler_not_found, &[0]),
    (Error::is_invalid, &[1]),
    (Error::is_timeout, &[2, 3, 4]),
    (Error::is_cancelled, &[5, 6]),
    (Error::is_circuit_open, &[7]),
    (Error::is_rate_limited, &[8]),
    (Error::is_overloaded, &[9]),
    (Error::is_rejected, &[10]),
    (Error::is_panicked, &[11]),
    (Error::is_would_deadlock, &[12]),
    (Error::is_handler, &[13]),
];

/// Returns the indices of the errors for which `holds` is true.
fn places(holds: impl Fn(&Error<String>) -> bool) -> Vec<usize> {
    let errors = every_error("broken".to_owned(), "broken");
    (0..errors.len())
        .filter(|&place| holds(&errors[place].0))
        .collect()
}

#[test]
fn each_predicate_holds_for_its_variant_only() {
    for (predicate, expected) in PREDICATES {
        assert_eq!(places(predicate), expected);
    }
}

#[test]
fn the_handler_may_have_acted_only_after_its_start() {
    assert_eq!(places(Error::is_indeterminate), [3, 4, 6, 11, 12]);
}

#[test]
fn a_breaker_and_a_rate_limit_know_when_to_try_again() {
    assert_eq!(places(|error| error.retry_after() == Some(SECOND)), [7, 8]);
    assert_eq!(places(|error| error.retry_after().is_some()), [7, 8]);
}

#[test]
fn every_error_has_its_text() {
    for (error, text) in every_error("out of stock".to_owned(), "out of stock") {
        assert_eq!(error.to_string(), text);
    }
}

#[test]
fn the_handlers_error_keeps_its_type() {
    for (error, _) in every_error(Broken(fmt::Error), "broken") {
        let is_handler = error.is_handler();
        assert_eq!(error.as_handler().is_some(), is_handler);
        match error.into_handler() {
            Ok(broken) => assert!(is_handler && broken == Broken(fmt::Error)),
            Err(unchanged) => assert!(!unchanged.is_handler() && !is_handler),
        }
    }
}

#[test]
fn mapping_the_handlers_error_keeps_all_other_errors() {
    let expected = every_error(5_usize, "5");
    let mapped = every_error("12345".to_owned(), "12345")
        .map(|(error, _)| error.map_handler(|text| text.len()));
    for ((expected, _), mapped) in expected.into_iter().zip(mapped) {
        assert_eq!(mapped, expected);
    }
}

#[test]
fn the_source_does_not_repeat_the_text() {
    let causes = every_error(Broken(fmt::Error), "broken")
        .iter()
        .map(|(error, _)| error.source().map(ToString::to_string))
        .collect::<Vec<_>>();
    let expected = |place| match place {
        1 => Some(violations().to_string()),
        10 => Some("forbidden: admins only".to_owned()),
        13 => Some(fmt::Error.to_string()),
        _ => None,
    };
    assert_eq!(causes, (0..14).map(expected).collect::<Vec<_>>());
}

#[test]
fn a_boxed_error_is_a_standard_error_with_an_equal_text() {
    for (error, text) in every_error("out of stock".to_owned(), "out of stock") {
        let boxed: Box<dyn StdError + Send + Sync> = error.into_boxed();
        assert_eq!(boxed.to_string(), text);
    }
}

/// Resembles `anyhow::Error`: converts from every standard error, but is none itself.
#[derive(Debug)]
struct Report(String);

impl<E: StdError + Send + Sync + 'static> From<E> for Report {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

#[test]
fn a_question_mark_converts_a_standard_handler_error() {
    fn to_box() -> Result<(), Box<dyn StdError>> {
        Err(Error::Handler(Broken(fmt::Error)))?
    }
    fn to_report() -> Result<(), Report> {
        Err(Error::Handler(Broken(fmt::Error)))?
    }
    assert_eq!(to_box().unwrap_err().to_string(), "broken");
    assert_eq!(to_report().unwrap_err().0, "broken");
}

#[test]
fn a_question_mark_converts_a_boxed_error_of_any_handler_error() {
    fn failed() -> Result<(), Error<String>> {
        Err(Error::Handler("out of stock".to_owned()))
    }
    fn to_box() -> Result<(), Box<dyn StdError>> {
        Ok(failed().map_err(Error::into_boxed)?)
    }
    fn to_shared_box() -> Result<(), Box<dyn StdError + Send + Sync>> {
        Ok(failed().map_err(Error::into_boxed)?)
    }
    fn to_report() -> Result<(), Report> {
        Ok(failed().map_err(Error::into_boxed)?)
    }
    assert_eq!(to_box().unwrap_err().to_string(), "out of stock");
    assert_eq!(to_shared_box().unwrap_err().to_string(), "out of stock");
    assert_eq!(to_report().unwrap_err().0, "out of stock");
}

#[test]
fn refusals_and_violations_become_errors() {
    fn refuse() -> Result<(), Error<String>> {
        Err(Rejection::unauthenticated())?
    }
    fn validate() -> Result<(), Error<String>> {
        Err(violations())?
    }
    let Err(Error::Rejected(rejection)) = refuse() else {
        panic!("it refuses");
    };
    assert_eq!(rejection.kind(), RejectionKind::Unauthenticated);
    assert_eq!(validate(), Err(Error::Invalid(violations())));
}

/// A message whose `classify` tells its handler's errors apart.
struct Charge;

impl Message for Charge {
    const NAME: &'static str = "charge";
    type Kind = Command;
    type Reply = ();
    type Error = String;

    fn classify(error: &String) -> Class {
        match error.as_str() {
            "connection reset" => Class::Transient,
            "no such card" => Class::Permanent,
            _ => Class::Unclassified,
        }
    }
}

#[test]
fn a_message_classifies_its_own_errors_or_none() {
    assert_eq!(
        ["connection reset", "no such card", "?"].map(|text| Charge::classify(&text.to_owned())),
        [Class::Transient, Class::Permanent, Class::Unclassified]
    );
    let unclassified = Act::classify(&"connection reset".to_owned());
    assert_eq!(unclassified, Class::Unclassified);
}
