//! Models of publication. A thread that finds the new route, through any handle, sees everything the
//! registration wrote.
#![cfg(arcbus_loom)]

use arcbus::QueryBus;
use arcbus_loom::{First, Reads, Seen, explore, weakened};
use loom::thread;

/// The kind of handle that the reader dispatches through.
#[derive(Clone, Copy)]
enum By {
    Bus,
    Local,
    Route,
}

/// Dispatches while a writer replaces the handler. Cached handles hold the old table before the writer
/// begins.
fn publication(by: By, old: &Seen, new: &Seen) {
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(Reads::new(1))
        .open()
        .unwrap();
    let mut local = bus.local();
    let mut route = bus.route::<First>().unwrap();
    let writer = thread::spawn(move || drop(registrar.replace::<First, _>(Reads::new(2)).unwrap()));
    let reply = match by {
        By::Bus => bus.execute_blocking(First),
        By::Local => local.execute_blocking(First),
        By::Route => route.execute_blocking(First),
    }
    .unwrap();
    old.count(reply == 1);
    new.count(reply == 2);
    writer.join().unwrap();
}

#[test]
fn through_a_bus() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("new", &NEW)];
    explore("publication, bus", 3, states, || {
        publication(By::Bus, &OLD, &NEW)
    });
}

#[test]
fn through_a_local_bus() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("new", &NEW)];
    explore("publication, local bus", 2, states, || {
        publication(By::Local, &OLD, &NEW)
    });
}

#[test]
fn through_a_route() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("new", &NEW)];
    explore("publication, route", 2, states, || {
        publication(By::Route, &OLD, &NEW)
    });
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent read and write")]
fn fails_through_a_bus_when_weakened() {
    weakened(|| publication(By::Bus, &Seen::new(), &Seen::new()));
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent read and write")]
fn fails_through_a_local_bus_when_weakened() {
    weakened(|| publication(By::Local, &Seen::new(), &Seen::new()));
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent read and write")]
fn fails_through_a_route_when_weakened() {
    weakened(|| publication(By::Route, &Seen::new(), &Seen::new()));
}
