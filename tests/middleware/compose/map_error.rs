//! `MapError`: changes the failures that the outer layers see.

use arcbus::middleware::MapError;
use arcbus::{CommandBus, Context, Error, Rejection};

use crate::acts::{Act, Actor, each_lane};

#[test]
fn errors_are_changed_and_replies_are_not() {
    let map = |error: Error<String>, _: &Context<'_>| match error {
        Error::Panicked { .. } => Rejection::new("it panicked").into(),
        other => other.map_handler(|text| format!("act: {text}")),
    };
    let bus = CommandBus::builder()
        .layer(MapError::new(map))
        .register(Actor::default())
        .build()
        .expect("one handler");
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    let failed = Err(Error::Handler("act: failed".to_owned()));
    assert_eq!(each_lane(&bus, Act::Fail), [failed.clone(), failed]);
    for outcome in each_lane(&bus, Act::Panic) {
        assert!(outcome.unwrap_err().is_rejected());
    }
}
