//! Verdicts: each outcome as evidence about the backend's health.

use std::time::Duration;

use arcbus::{
    Class, Error, Message, MessageType, Outcome, Phase, Query, Rejection, TimeLimit, Verdict,
    Violations,
};

struct Ask;

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    type Reply = ();
    type Error = &'static str;

    fn classify(error: &&'static str) -> Class {
        match *error {
            "transient" => Class::Transient,
            "permanent" => Class::Permanent,
            _ => Class::Unclassified,
        }
    }
}

#[test]
fn every_outcome_has_its_verdict() {
    let late = |phase, limit| Error::Timeout {
        phase,
        elapsed: Duration::ZERO,
        limit,
    };
    let soon = Duration::from_secs(1);
    let table: [(Outcome<Ask>, Verdict); 18] = [
        (Ok(()), Verdict::Success),
        (Err(Error::Handler("permanent")), Verdict::Success),
        (Err(Error::Handler("transient")), Verdict::Failure),
        (Err(Error::Handler("other")), Verdict::Failure),
        (
            Err(late(Phase::Indeterminate, TimeLimit::Layer)),
            Verdict::Failure,
        ),
        (
            Err(late(Phase::Indeterminate, TimeLimit::Caller)),
            Verdict::Neutral,
        ),
        (
            Err(late(Phase::NotStarted, TimeLimit::Layer)),
            Verdict::Neutral,
        ),
        (
            Err(late(Phase::NotStarted, TimeLimit::Caller)),
            Verdict::Neutral,
        ),
        (
            Err(Error::Panicked { message: "".into() }),
            Verdict::Failure,
        ),
        (
            Err(Error::Cancelled {
                phase: Phase::Indeterminate,
            }),
            Verdict::Neutral,
        ),
        (
            Err(Error::Cancelled {
                phase: Phase::NotStarted,
            }),
            Verdict::Neutral,
        ),
        (Err(Error::Invalid(Violations::new())), Verdict::Neutral),
        (Err(Rejection::unauthenticated().into()), Verdict::Neutral),
        (
            Err(Error::CircuitOpen { retry_after: soon }),
            Verdict::Neutral,
        ),
        (
            Err(Error::RateLimited { retry_after: soon }),
            Verdict::Neutral,
        ),
        (Err(Error::Overloaded { limit: 1 }), Verdict::Neutral),
        (Err(Error::WouldDeadlock { advice: "" }), Verdict::Neutral),
        (
            Err(Error::HandlerNotFound {
                message: MessageType::of::<Ask>(),
            }),
            Verdict::Neutral,
        ),
    ];
    for (outcome, verdict) in table {
        assert_eq!(Verdict::of::<Ask>(&outcome), verdict, "{outcome:?}");
    }
}
