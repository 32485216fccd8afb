//! `When`: a layer that acts only on the dispatches for which a condition holds.

use arcbus::middleware::InContext;
use arcbus::middleware::{Chaos, Validation, When};
use arcbus::{CommandBus, Context, Error, RegistrationError, guard};

use crate::acts::{Act, Actor, each_lane, each_lane_with, layers};

#[test]
fn the_layer_acts_where_the_condition_on_the_message_holds() {
    let always = Chaos::seeded(1).failures(1.0);
    let bus = CommandBus::builder()
        .layer(When::new(
            |msg: &Act, _: &Context<'_>| *msg == Act::Answer(1),
            always,
        ))
        .register(Actor::default())
        .build()
        .expect("one handler");
    assert_eq!(layers(&bus), ["Chaos"]);
    for outcome in each_lane(&bus, Act::Answer(1)) {
        assert!(outcome.unwrap_err().is_timeout());
    }
    assert_eq!(each_lane(&bus, Act::Answer(2)), [Ok(2), Ok(2)]);
}

#[test]
fn the_layer_acts_where_the_condition_on_the_context_holds() {
    struct Marked;
    let bus = CommandBus::builder()
        .layer(When::new(
            InContext(|cx: &Context<'_>| cx.get::<Marked>().is_some()),
            Chaos::seeded(1).panics(1.0),
        ))
        .register(Actor::default())
        .build()
        .expect("one handler");
    assert_eq!(each_lane(&bus, Act::Answer(2)), [Ok(2), Ok(2)]);
    for outcome in each_lane_with(&bus, Act::Answer(2), &Context::new().with(Marked)) {
        assert!(outcome.unwrap_err().is_panicked());
    }
}

#[test]
fn the_settings_of_the_layer_are_checked() {
    let wrong = Chaos::seeded(1).panics(2.0);
    let refused = CommandBus::builder()
        .layer(When::new(InContext(|_: &Context<'_>| false), wrong))
        .register(Actor::default())
        .build();
    let Err(RegistrationError::InvalidSetting(invalid)) = refused else {
        panic!("it must be refused");
    };
    assert_eq!(invalid.field(), "Chaos.panics");
}

#[test]
fn a_condition_stands_around_a_layer_that_stands_around_others() {
    let bus = CommandBus::builder()
        .layer(When::new(
            |msg: &Act, _: &Context<'_>| *msg == Act::Invalid,
            Validation::new(),
        ))
        .wrap(guard(|_: &Act, _: &Context<'_>| Ok(())))
        .register(Actor::default())
        .build()
        .expect("one handler");
    for outcome in each_lane(&bus, Act::Invalid) {
        assert!(matches!(outcome, Err(Error::Invalid(_))));
    }
    assert_eq!(each_lane(&bus, Act::Answer(5)), [Ok(5), Ok(5)]);
}
