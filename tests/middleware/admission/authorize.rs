//! `Authorize`: decides for each caller and message whether the message may be sent.

use arcbus::middleware::Authorize;
use arcbus::{CommandBus, Context, Error, MessageType, Rejection, RejectionKind};

use crate::acts::{Act, Actor, Steps, each_lane_with, layers};

#[derive(Clone)]
struct User {
    admin: bool,
}

fn refusals(bus: &CommandBus, cx: &Context<'_>) -> Vec<Rejection> {
    let refusal = |outcome| match outcome {
        Err(Error::Rejected(rejection)) => Some(rejection),
        _ => None,
    };
    let outcomes = each_lane_with(bus, Act::Answer(1), cx);
    outcomes.into_iter().filter_map(refusal).collect()
}

#[test]
fn a_caller_is_unauthenticated_forbidden_or_admitted() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(Authorize::caller(|user: &User| user.admin, "admins only"))
        .register(Actor(steps.clone()))
        .build()
        .expect("one handler");
    assert_eq!(layers(&bus), ["Authorize"]);
    let unknown = Rejection::unauthenticated();
    assert_eq!(refusals(&bus, &Context::new()), [unknown.clone(), unknown]);
    let user = Context::new().with(User { admin: false });
    let forbidden = Rejection::forbidden("admins only");
    assert_eq!(refusals(&bus, &user), [forbidden.clone(), forbidden]);
    assert_eq!(steps.take(), "");
    let admin = Context::new().with(User { admin: true });
    assert_eq!(refusals(&bus, &admin), []);
    assert_eq!(steps.take(), "handle handle");
}

#[test]
fn a_predicate_sees_the_type_of_the_message() {
    let may = |message: MessageType, _: &Context<'_>| {
        Err(Rejection::new(format!("{} is closed", message.name())))
    };
    let bus = CommandBus::builder()
        .layer(Authorize::new(may))
        .register(Actor::default())
        .build()
        .expect("one handler");
    let refused = refusals(&bus, &Context::new());
    assert_eq!(refused.len(), 2);
    assert_eq!(refused[0].reason(), "act is closed");
    assert_eq!(refused[0].kind(), RejectionKind::Other);
}
