//! Models of staleness. A caller that learned of a change never gets the old answer.
#![cfg(arcbus_loom)]

use arcbus::{Dispatch, LocalBus, Query, QueryBus, Route};
use arcbus_loom::{First, Reads, Seen, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

/// How the writer tells the reader that the change was made.
#[derive(Clone, Copy, PartialEq)]
enum Tell {
    After,
    /// The mistake: the writer tells the reader before the change.
    Before,
    /// The mistake: the writer tells the reader with a relaxed store, which orders nothing.
    Loosely,
}

fn bus(bus: &QueryBus) -> QueryBus {
    bus.clone()
}

fn local(bus: &QueryBus) -> LocalBus<Query> {
    bus.local()
}

fn route(bus: &QueryBus) -> Route<First> {
    bus.route().unwrap()
}

#[derive(Default)]
struct States {
    told: Seen,
    old: Seen,
    new: Seen,
}

const fn states() -> States {
    States {
        told: Seen::new(),
        old: Seen::new(),
        new: Seen::new(),
    }
}

impl States {
    fn named(&'static self) -> [(&'static str, &'static Seen); 3] {
        [
            ("told", &self.told),
            ("not told, old", &self.old),
            ("not told, new", &self.new),
        ]
    }
}

fn stale<D: Dispatch<First>>(
    handle: fn(&QueryBus) -> D,
    deregister: bool,
    tell: Tell,
    states: &States,
) {
    let (store, load) = match tell {
        Tell::Loosely => (Ordering::Relaxed, Ordering::Relaxed),
        _ => (Ordering::Release, Ordering::Acquire),
    };
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(Reads::new(1))
        .open()
        .unwrap();
    let mut handle = handle(&bus);
    let told = Arc::new(AtomicBool::new(false));
    let tells = Arc::clone(&told);
    let writer = thread::spawn(move || {
        if tell == Tell::Before {
            tells.store(true, store);
        }
        drop(match deregister {
            true => registrar.deregister::<First>().unwrap(),
            false => registrar.replace::<First, _>(Reads::new(2)).unwrap(),
        });
        if tell != Tell::Before {
            tells.store(true, store);
        }
    });
    let told = told.load(load);
    let outcome = handle.execute_blocking(First);
    match &outcome {
        Ok(1) => {}
        Ok(2) => assert!(!deregister),
        Err(error) if error.is_handler_not_found() => assert!(deregister),
        other => panic!("{other:?}"),
    }
    let old = outcome == Ok(1);
    assert!(!(told && old), "stale");
    states.told.count(told);
    states.old.count(!told && old);
    states.new.count(!told && !old);
    writer.join().unwrap();
}

macro_rules! models {
    ($($handle:ident, $deregister:literal: $name:ident, $early:ident, $loose:ident;)*) => {$(
        #[test]
        fn $name() {
            static STATES: States = states();
            explore(stringify!($name), 2, STATES.named(), || {
                stale($handle, $deregister, Tell::After, &STATES);
            });
        }

        #[test]
        #[should_panic(expected = "stale")]
        fn $early() {
            explore(stringify!($early), 2, [], || {
                stale($handle, $deregister, Tell::Before, &states());
            });
        }

        models!(@ $handle $deregister $loose);
    )*};
    // A load of the shared bus finds a change that was made, whether or not the reader was told.
    (@ bus $deregister:literal none) => {};
    (@ $handle:ident $deregister:literal $loose:ident) => {
        #[test]
        #[should_panic(expected = "stale")]
        fn $loose() {
            explore(stringify!($loose), 2, [], || {
                stale($handle, $deregister, Tell::Loosely, &states());
            });
        }
    };
}

models! {
    bus, false: a_bus_follows_a_replace, a_bus_told_too_early_is_stale, none;
    local, false: a_local_bus_follows_a_replace, a_local_bus_told_too_early_is_stale, a_local_bus_told_loosely_is_stale;
    route, false: a_route_follows_a_replace, a_route_told_too_early_is_stale, a_route_told_loosely_is_stale;
    bus, true: a_bus_reports_a_deregister, a_bus_told_of_it_too_early_is_stale, none;
    local, true: a_local_bus_reports_a_deregister, a_local_bus_told_of_it_too_early_is_stale, a_local_bus_told_of_it_loosely_is_stale;
    route, true: a_route_reports_a_deregister, a_route_told_of_it_too_early_is_stale, a_route_told_of_it_loosely_is_stale;
}
