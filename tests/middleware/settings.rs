//! Settings out of range are rejected at the registration of a handler, wherever the layer stands.

use arcbus::middleware::{Chaos, Validation};
use arcbus::{
    CommandBus, InvalidSetting, LayerExt, Layers, NoLayers, RegistrationError, static_bus,
};

use crate::acts::{Act, Actor};

fn wrong() -> Chaos {
    Chaos::seeded(1).failures(1.5)
}

fn refused<T>(result: Result<T, RegistrationError>) -> InvalidSetting {
    match result {
        Err(RegistrationError::InvalidSetting(invalid)) => invalid,
        _ => panic!("it must be refused"),
    }
}

#[test]
fn settings_are_refused_by_a_builder() {
    let built = CommandBus::builder()
        .layer(Validation::new())
        .layer(Some(wrong().shared()))
        .register(Actor::default())
        .build();
    let invalid = refused(built);
    assert_eq!(invalid.field(), "Chaos.failures");
    assert_eq!(
        RegistrationError::from(invalid).to_string(),
        "setting `Chaos.failures` is out of range: it must be a rate from 0 to 1"
    );
}

#[test]
fn settings_are_refused_by_a_registrar_without_a_change() {
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    refused(registrar.layer(wrong()).register(Actor::default()));
    assert!(bus.routes().is_empty());
    registrar.must_register(Actor::default());
    refused(registrar.layer(wrong()).replace(Actor::default()).map(drop));
    let update = registrar.layer(wrong()).update(|batch| {
        batch.deregister::<Act>().register(Actor::default());
    });
    refused(update.map(drop));
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
}

#[test]
fn settings_of_a_layer_switched_off_are_not_checked() {
    let built = CommandBus::builder()
        .layer(None::<Chaos>)
        .register(Actor::default())
        .build();
    assert!(built.is_ok());
}

#[test]
#[should_panic(expected = "setting `Chaos.failures` is out of range")]
fn settings_are_refused_by_a_static_bus_with_a_panic() {
    static_bus! {
        struct Fixed: arcbus::Command { act: Act => Actor }
    }
    let layers = Layers::<NoLayers>::new().layer(wrong());
    let _ = Fixed::with_layers(&layers, Actor::default());
}
