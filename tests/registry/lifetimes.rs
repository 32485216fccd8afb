//! Any single handle keeps the handlers alive.

use arcbus::QueryBus;

use crate::support::{Ask, Changer, Do, Drops, Noting, ask, open};

/// Checks that the result of `keep` keeps handler 1 alive after the bus and the registrar are
/// dropped.
fn alone<T>(keep: impl FnOnce(QueryBus, Changer) -> T, works: impl FnOnce(&mut T, &Drops)) {
    let drops = Drops::default();
    let (bus, registrar) = open();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    let mut kept = keep(bus, registrar);
    assert!(drops.numbers().is_empty());
    works(&mut kept, &drops);
    drop(kept);
    assert_eq!(drops.numbers(), [1]);
}

#[test]
fn a_bus_goes_on_without_its_registrar() {
    alone(|bus, _| bus, |bus, _| assert_eq!(ask::<1>(bus), Some(1)));
    alone(
        |bus, _| bus.clone(),
        |bus, _| assert_eq!(ask::<1>(bus), Some(1)),
    );
}

#[test]
fn a_local_bus_and_a_route_go_on_without_their_bus() {
    alone(
        |bus, _| bus.local(),
        |local, _| assert_eq!(local.execute_blocking(Ask::<1>(Do::Answer)), Ok(1)),
    );
    alone(
        |bus, _| bus.route::<Ask<1>>().expect("registered"),
        |route, _| assert_eq!(route.execute_blocking(Ask(Do::Answer)), Ok(1)),
    );
}

#[test]
fn a_registrar_outlives_its_bus() {
    alone(
        |_, registrar| registrar.layer(None::<Noting>),
        |registrar, drops| {
            let other = Drops::default();
            registrar.must_register::<Ask<2>, _>(other.handler(2));
            let retired = registrar.deregister::<Ask<2>>().expect("registered");
            assert!(retired.is_drained());
            assert_eq!(other.numbers(), [2]);
            assert!(drops.numbers().is_empty());
        },
    );
    alone(|_, registrar| registrar.clone(), |_, _| ());
}

#[test]
fn a_retired_handle_keeps_the_registry_alive() {
    alone(
        |_, registrar| registrar.update(|_| ()).expect("nothing to refuse"),
        |retired, _| assert!(retired.is_drained()),
    );
}
