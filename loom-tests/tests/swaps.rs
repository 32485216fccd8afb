//! Models of swaps. A handler that is replaced or deregistered while running lives until its run ends, and no
//! reader frees the handler.
#![cfg(arcbus_loom)]

use arcbus::{Dispatch, LocalBus, Query, QueryBus, Route};
use arcbus_loom::{First, Reads, Seen, explore, weakened};
use loom::thread;

/// The change made to the handler while another thread dispatches.
#[derive(Clone, Copy, PartialEq)]
enum Change {
    Replace,
    Deregister,
}
use Change::{Deregister, Replace};

/// The moment at which the owner closes the resource of the old handler.
#[derive(Clone, Copy, PartialEq)]
enum Close {
    WhenDropped,
    /// The mistake: a dispatch may still be running.
    AtOnce,
}
use Close::{AtOnce, WhenDropped};

#[derive(Default)]
struct States {
    old: Seen,
    new: Seen,
    during: Seen,
}

const fn states() -> States {
    States {
        old: Seen::new(),
        new: Seen::new(),
        during: Seen::new(),
    }
}

impl States {
    fn named(&'static self) -> [(&'static str, &'static Seen); 3] {
        [
            ("old", &self.old),
            ("new or none", &self.new),
            ("changed while it ran", &self.during),
        ]
    }
}

fn bus(bus: &QueryBus) -> QueryBus {
    bus.clone()
}

fn route(bus: &QueryBus) -> Route<First> {
    bus.route().unwrap()
}

fn local(bus: &QueryBus) -> LocalBus<Query> {
    bus.local()
}

fn swap<D: Dispatch<First> + 'static>(
    handle: fn(&QueryBus) -> D,
    change: Change,
    close: Close,
    states: &States,
) {
    let old = Reads::new(1);
    let (life, payload) = (old.life(), old.payload());
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(old)
        .open()
        .unwrap();
    let mut handle = handle(&bus);
    let reader = thread::spawn(move || {
        let outcome = handle.execute_blocking(First);
        drop(handle);
        (outcome, thread::current().id())
    });
    let retired = match change {
        Replace => registrar.replace::<First, _>(Reads::new(2)),
        Deregister => registrar.deregister::<First>(),
    };
    drop(retired.unwrap());
    states.during.count(life.is_running());
    if close == AtOnce {
        payload.set(0);
    }
    registrar.reclaim();
    let (outcome, reader) = reader.join().unwrap();
    states.old.count(outcome == Ok(1));
    states.new.count(outcome != Ok(1));
    match outcome {
        Ok(1) => {}
        Ok(2) => assert!(change == Replace),
        Err(error) if error.is_handler_not_found() => assert!(change == Deregister),
        other => panic!("{other:?}"),
    }
    registrar.reclaim();
    let dropped_by = life.dropped_by();
    assert!(dropped_by.is_some(), "kept for ever");
    assert_ne!(dropped_by, Some(reader), "freed by a reader");
}

macro_rules! models {
    ($($handle:ident, $change:ident: $name:ident, $closed:ident, $weak:ident;)*) => {$(
        #[test]
        fn $name() {
            static STATES: States = states();
            explore(stringify!($name), 2, STATES.named(), || {
                swap($handle, $change, WhenDropped, &STATES);
            });
        }

        #[test]
        #[should_panic(expected = "Causality violation: Concurrent")]
        fn $closed() {
            explore(stringify!($closed), 2, [], || {
                swap($handle, $change, AtOnce, &states());
            });
        }

        models!(@ $handle $change $weak);
    )*};
    (@ $handle:ident Replace $weak:ident) => {
        #[test]
        #[should_panic(expected = "Causality violation: Concurrent read and write")]
        fn $weak() {
            weakened(|| swap($handle, Replace, WhenDropped, &states()));
        }
    };
    (@ $handle:ident Deregister none) => {};
}

models! {
    bus, Replace: replace_under_a_bus, replace_under_a_bus_fails_if_closed_at_once, replace_under_a_bus_fails_when_weakened;
    local, Replace: replace_under_a_local_bus, replace_under_a_local_bus_fails_if_closed_at_once, replace_under_a_local_bus_fails_when_weakened;
    route, Replace: replace_under_a_route, replace_under_a_route_fails_if_closed_at_once, replace_under_a_route_fails_when_weakened;
    bus, Deregister: deregister_under_a_bus, deregister_under_a_bus_fails_if_closed_at_once, none;
    local, Deregister: deregister_under_a_local_bus, deregister_under_a_local_bus_fails_if_closed_at_once, none;
    route, Deregister: deregister_under_a_route, deregister_under_a_route_fails_if_closed_at_once, none;
}
