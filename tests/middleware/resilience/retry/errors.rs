//! The errors after which another attempt is made, and those after which none is.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arcbus::middleware::{Retry, Timeout};
use arcbus::{
    Class, CommandBus, Error, MessageType, Phase, Query, QueryBus, Rejection, TimeLimit, Violations,
};

use crate::asking::{Ask, Down, Step, down, ms, rig};

fn twice() -> Retry {
    Retry::fixed(2, Duration::ZERO).without_budget()
}

fn refused(attempt: u32, error: Error<Down>) -> Step {
    if attempt == 1 {
        Step::Refused(error)
    } else {
        Step::Reply
    }
}

const PERMANENT: fn(u32) -> Step = |_| Step::Down(Class::Permanent);
const UNCLASSIFIED: fn(u32) -> Step = |_| Step::Down(Class::Unclassified);

#[test]
fn the_class_and_the_kind_decide() {
    let queries = rig(QueryBus::builder().layer(twice()));
    assert_eq!(queries.both(|_| Step::Down(Class::Transient)).1, "1 2");
    assert_eq!(queries.both(UNCLASSIFIED).1, "1 2");
    assert_eq!(
        queries.both(PERMANENT),
        (Err(down(Class::Permanent)), "1".into())
    );
    let commands = rig(CommandBus::builder().layer(twice()));
    assert_eq!(commands.both(|_| Step::Down(Class::Transient)).1, "1 2");
    assert_eq!(
        commands.both(UNCLASSIFIED),
        (Err(down(Class::Unclassified)), "1".into())
    );
    assert_eq!(commands.both(PERMANENT).1, "1");
}

#[test]
fn the_outcome_of_a_later_attempt_is_judged_as_well() {
    let retry = Retry::fixed(9, Duration::ZERO).without_budget();
    let rig = rig(QueryBus::builder().layer(retry));
    let then_permanent = |attempt| match attempt {
        1 => Step::Down(Class::Transient),
        _ => Step::Down(Class::Permanent),
    };
    assert_eq!(
        rig.both(then_permanent),
        (Err(down(Class::Permanent)), "1 2".into())
    );
}

#[test]
fn a_temporary_refusal_of_a_layer_is_repeated() {
    let rig = rig(QueryBus::builder().layer(twice()));
    let scripts: [fn(u32) -> Step; 3] = [
        |attempt| {
            refused(
                attempt,
                Error::CircuitOpen {
                    retry_after: Duration::ZERO,
                },
            )
        },
        |attempt| {
            refused(
                attempt,
                Error::RateLimited {
                    retry_after: Duration::ZERO,
                },
            )
        },
        |attempt| refused(attempt, Error::Overloaded { limit: 1 }),
    ];
    for script in scripts {
        assert_eq!(rig.both(script), (Ok(2), "1! 2".into()));
    }
}

/// Errors after which no attempt follows, even if a predicate agrees.
const NEVER: [fn(u32) -> Step; 11] = [
    |n| {
        refused(
            n,
            Error::HandlerNotFound {
                message: MessageType::of::<Ask<Query>>(),
            },
        )
    },
    |n| refused(n, Error::Invalid(Violations::new())),
    |n| refused(n, Error::Rejected(Rejection::forbidden("no"))),
    |n| refused(n, late(Phase::NotStarted)),
    |n| refused(n, late(Phase::Indeterminate)),
    |n| refused(n, hasty()),
    |n| {
        refused(
            n,
            Error::Cancelled {
                phase: Phase::NotStarted,
            },
        )
    },
    |n| {
        refused(
            n,
            Error::Cancelled {
                phase: Phase::Indeterminate,
            },
        )
    },
    |n| {
        refused(
            n,
            Error::Panicked {
                message: "on purpose".into(),
            },
        )
    },
    |n| refused(n, Error::WouldDeadlock { advice: "do not" }),
    |n| refused(n, Error::InDoubt),
];

fn late(phase: Phase) -> Error<Down> {
    Error::Timeout {
        phase,
        elapsed: ms(1),
        limit: TimeLimit::Layer,
    }
}

fn hasty() -> Error<Down> {
    Error::Timeout {
        phase: Phase::Indeterminate,
        elapsed: ms(1),
        limit: TimeLimit::Caller,
    }
}

#[test]
fn a_predicate_cannot_repeat_a_message_that_must_not_be_repeated() {
    let asked = Arc::new(AtomicU32::new(0));
    let asks = Arc::clone(&asked);
    let always = twice().retry_if(move |_: &Error<Down>| {
        asks.fetch_add(1, Ordering::Relaxed);
        true
    });
    let (by_class, by_predicate) = (
        rig(QueryBus::builder().layer(twice())),
        rig(QueryBus::builder().layer(always)),
    );
    for script in NEVER {
        let (outcome, steps) = by_class.both(script);
        assert_eq!(
            (outcome.is_err(), steps.as_str()),
            (true, "1!"),
            "{outcome:?}"
        );
        assert_eq!(by_predicate.both(script), (outcome, steps));
    }
    assert_eq!(asked.load(Ordering::Relaxed), 0);
}

#[test]
fn no_attempt_follows_a_panic() {
    let rig = rig(QueryBus::builder().layer(twice().retry_if(|_: &Error<Down>| true)));
    for (outcome, steps) in rig.lanes(|_| Step::Panic) {
        assert!(outcome.is_err_and(|error| error.is_panicked()));
        assert_eq!(steps, "1");
    }
}

#[test]
fn no_attempt_follows_an_inner_timeout() {
    let retry = twice().retry_if(|_: &Error<Down>| true);
    let rig = rig(QueryBus::builder().layer(retry).layer(Timeout::new(ms(5))));
    let phase = Phase::Indeterminate;
    let stopped = Err(Error::Timeout {
        phase,
        elapsed: ms(5),
        limit: TimeLimit::Layer,
    });
    assert_eq!(rig.run(|_| Step::Wait), stopped);
    assert_eq!(rig.attempts(), "1 gone");
    let clock = rig.clock.clone();
    let blocked = rig.block_with(
        |_| Step::Wait,
        arcbus::Context::new(),
        || clock.advance(ms(1)),
    );
    assert!(matches!(
        blocked,
        Err(Error::Timeout {
            phase: Phase::Indeterminate,
            ..
        })
    ));
    assert_eq!(rig.attempts(), "1 gone");
}

#[test]
fn a_predicate_decides_instead_of_the_class() {
    let permanent = |error: &Error<Down>| error.as_handler() == Some(&Down(Class::Permanent));
    let queries = rig(QueryBus::builder().layer(twice().retry_if(permanent)));
    assert_eq!(queries.both(PERMANENT).1, "1 2");
    assert_eq!(queries.both(UNCLASSIFIED).1, "1");
    assert_eq!(queries.both(|_| Step::Down(Class::Transient)).1, "1");
    let overloaded = |attempt| refused(attempt, Error::Overloaded { limit: 1 });
    assert_eq!(queries.both(overloaded).1, "1!");
    let commands = rig(CommandBus::builder().layer(twice().retry_if(|_: &Error<Down>| true)));
    assert_eq!(commands.both(UNCLASSIFIED).1, "1 2");
}

#[test]
fn a_predicate_that_panics_does_not_change_the_budget() {
    let budget = arcbus::middleware::Budget::new(1.0);
    let retry = Retry::fixed(2, Duration::ZERO).budget(budget.clone());
    let retry = retry.retry_if(|_: &Error<Down>| panic!("on purpose"));
    let rig = rig(QueryBus::builder().layer(retry));
    let dispatch = || rig.bus.execute_blocking(crate::asking::query(PERMANENT));
    assert!(std::panic::catch_unwind(std::panic::AssertUnwindSafe(dispatch)).is_err());
    assert_eq!((budget.available(), budget.exhausted()), (100.0, 0));
    assert_eq!(rig.attempts(), "1");
    assert_eq!(rig.both(|_| Step::Reply).0, Ok(1));
}
