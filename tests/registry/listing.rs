//! The facts about each route that `routes` lists.

use std::any::type_name;
use std::time::SystemTime;

use arcbus::{
    Command, CommandBus, Context, FakeClock, Gated, Message, MessageType, QueryBus, RouteInfo,
    from_fn,
};

use crate::support::{Ask, Drops, Notes, open};

struct Rename;

impl Message for Rename {
    const NAME: &'static str = "rename";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// Returns the only route of `bus`.
fn only(bus: &QueryBus) -> RouteInfo {
    let mut routes = bus.routes();
    assert_eq!(routes.len(), 1);
    routes.remove(0)
}

#[test]
fn a_route_lists_its_message_and_kind() {
    let (bus, registrar) = open();
    registrar.must_register::<Ask<1>, _>(Drops::default().handler(1));
    let route = only(&bus);
    assert_eq!(route.name(), "a");
    assert_eq!(route.message(), MessageType::of::<Ask<1>>());
    assert_eq!(route.message().type_name(), type_name::<Ask<1>>());
    assert_eq!(route.kind(), "query");
    assert!(route.layers().is_empty());

    let commands = CommandBus::builder()
        .register(from_fn(|_: Rename, _cx: &Context<'_>| Ok(())))
        .build()
        .expect("one name");
    assert_eq!(commands.routes()[0].kind(), "command");
}

#[test]
fn routes_are_listed_in_the_order_of_their_names() {
    let drops = Drops::default();
    let (bus, registrar) = open();
    registrar.must_register::<Ask<4>, _>(drops.handler(4));
    registrar.must_register::<Ask<3>, _>(drops.handler(3));
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    registrar.must_register::<Ask<2>, _>(drops.handler(2));
    let names: Vec<_> = bus.routes().iter().map(RouteInfo::name).collect();
    assert_eq!(names, ["a", "b", "c", "same"]);
}

#[test]
fn layers_are_listed_outermost_first() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let (bus, registrar) = QueryBus::builder()
        .layer(notes.layer("one"))
        .layer(notes.layer("two"))
        .scope(|s| {
            s.layer(notes.layer("three"))
                .register::<Ask<1>, _>(drops.handler(1))
        })
        .layer(notes.layer("four"))
        .open()
        .expect("one name");
    registrar
        .layer(notes.layer("five"))
        .must_register::<Ask<2>, _>(drops.handler(2));
    let routes = bus.routes();
    assert_eq!(routes[0].layers(), ["one", "two", "three"]);
    assert_eq!(routes[1].layers(), ["one", "two", "four", "five"]);
}

#[test]
fn a_wrapped_gate_is_listed_by_its_own_name() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let bus = QueryBus::builder()
        .wrap(Gated(notes.layer("not asked")))
        .wrap(Some(Gated(notes.layer("not asked"))))
        .register::<Ask<1>, _>(drops.handler(1))
        .build()
        .expect("one name");
    assert_eq!(only(&bus).layers(), ["Noting", "Noting"]);
}

#[test]
fn a_layer_switched_off_or_without_a_name_is_not_listed() {
    let (notes, drops) = (Notes::default(), Drops::default());
    let bus = QueryBus::builder()
        .layer(Some(notes.layer("on")))
        .layer(Some(notes.layer("off")).filter(|_| false))
        .layer(notes.layer(""))
        .register::<Ask<1>, _>(drops.handler(1))
        .build()
        .expect("one name");
    assert_eq!(only(&bus).layers(), ["on"]);
}

/// Returns the system's time, as soon as it is later than `time`.
fn after(time: SystemTime) -> SystemTime {
    loop {
        let now = SystemTime::now();
        if now > time {
            return now;
        }
        std::thread::yield_now();
    }
}

#[test]
fn a_route_lists_the_system_time_of_its_registration() {
    let drops = Drops::default();
    let fake = FakeClock::new();
    let (bus, registrar) = QueryBus::builder()
        .clock(fake.clone())
        .open()
        .expect("empty");
    let before = SystemTime::now();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    let first = only(&bus).registered_at();
    assert!(first >= before);

    let later = after(first);
    registrar.must_register::<Ask<2>, _>(drops.handler(2));
    drop(registrar.deregister::<Ask<2>>().expect("registered"));
    assert_eq!(only(&bus).registered_at(), first, "another's change");

    let replaced = registrar.replace::<Ask<1>, _>(drops.handler(3));
    drop(replaced.expect("registered"));
    let second = only(&bus).registered_at();
    assert!(second >= later);
    assert_eq!(fake.reads(), 0);
}
