//! What a change took out is not used any more once its `Retired` says so, and whoever sees that sees
//! everything the handler did.
#![cfg(arcbus_loom)]

use arcbus::{LocalBus, Outcome, Query, QueryBus, Route};
use arcbus_loom::{First, Reads, Seen, explore, weakened};
use loom::sync::Arc;
use loom::thread;

/// What was put into a payload by whoever believed it to be free.
const CLOSED: usize = 50;

/// A handle that holds the table from before the change.
enum Handle {
    Bus(QueryBus),
    Local(LocalBus<Query>),
    Route(Route<First>),
}

impl Handle {
    fn dispatch(&mut self) -> Outcome<First> {
        match self {
            Self::Bus(bus) => bus.execute_blocking(First),
            Self::Local(local) => local.execute_blocking(First),
            Self::Route(route) => route.execute_blocking(First),
        }
    }
}

#[derive(Clone, Copy)]
enum Change {
    Replace,
    Deregister,
}

/// A writer takes the handler out and, once told that it is idle, closes what it used. The reader
/// dispatches meanwhile.
fn close_after(
    change: Change,
    handle: impl Fn(&QueryBus) -> Handle,
    is_idle: impl Fn(&arcbus::Retired) + Send + 'static,
    old: &Seen,
    new: &Seen,
) {
    let handler = Reads::new(1);
    let pool = handler.payload();
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(handler)
        .open()
        .unwrap();
    let mut handle = handle(&bus);
    drop(bus);
    let writer = thread::spawn(move || {
        let retired = match change {
            Change::Replace => registrar.replace::<First, _>(Reads::new(2)),
            Change::Deregister => registrar.deregister::<First>(),
        }
        .unwrap();
        is_idle(&retired);
        pool.set(CLOSED);
    });
    match (change, handle.dispatch()) {
        (_, Ok(1)) => old.count(true),
        (Change::Replace, Ok(2)) => new.count(true),
        (Change::Deregister, Err(error)) if error.is_handler_not_found() => new.count(true),
        (_, other) => panic!("neither the old nor the new: {other:?}"),
    }
    drop(handle);
    writer.join().unwrap();
}

fn waits(retired: &arcbus::Retired) {
    retired.wait();
}

/// A model of each change through a handle, and that it fails where nobody waits.
macro_rules! models {
    ($($name:ident: $change:ident, $handle:expr;)*) => {$(
        mod $name {
            use super::*;

            #[test]
            fn is_idle_when_said_so() {
                static OLD: Seen = Seen::new();
                static NEW: Seen = Seen::new();
                let states = [("old", &OLD), ("new", &NEW)];
                explore(concat!("retirement, ", stringify!($name)), 2, states, || {
                    close_after(Change::$change, $handle, waits, &OLD, &NEW);
                });
            }

            #[test]
            #[should_panic(expected = "Causality violation")]
            fn is_not_idle_at_once() {
                explore("retirement without a wait", 2, [], || {
                    close_after(Change::$change, $handle, |_| {}, &Seen::new(), &Seen::new());
                });
            }
        }
    )*};
}

models! {
    replaced_under_a_bus: Replace, |bus: &QueryBus| Handle::Bus(bus.clone());
    replaced_under_a_local_bus: Replace, |bus: &QueryBus| Handle::Local(bus.local());
    replaced_under_a_route: Replace, |bus: &QueryBus| Handle::Route(bus.route().unwrap());
    deregistered_under_a_bus: Deregister, |bus: &QueryBus| Handle::Bus(bus.clone());
    deregistered_under_a_local_bus: Deregister, |bus: &QueryBus| Handle::Local(bus.local());
    deregistered_under_a_route: Deregister, |bus: &QueryBus| Handle::Route(bus.route().unwrap());
}

/// One thread frees the handler, another one only looks.
fn seen_by_another(drained: &Seen, not_yet: &Seen) {
    let handler = Reads::new(1);
    let pool = handler.payload();
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(handler)
        .open()
        .unwrap();
    let local = bus.local();
    let retired = Arc::new(registrar.replace::<First, _>(Reads::new(2)).unwrap());
    // The replace could not free it: the first that looks from now on does.
    drop(local);
    let looks = {
        let retired = Arc::clone(&retired);
        thread::spawn(move || retired.is_drained())
    };
    let is_drained = retired.is_drained();
    if is_drained {
        pool.set(CLOSED);
    }
    drained.count(is_drained);
    not_yet.count(!is_drained);
    looks.join().unwrap();
}

#[test]
fn whoever_sees_it_drained_sees_its_drop() {
    static DRAINED: Seen = Seen::new();
    static NOT_YET: Seen = Seen::new();
    let states = [("drained", &DRAINED), ("not yet", &NOT_YET)];
    explore("drained by another thread", 3, states, || {
        seen_by_another(&DRAINED, &NOT_YET);
    });
}

#[test]
#[should_panic(expected = "Causality violation")]
fn the_drop_is_not_seen_when_weakened() {
    weakened(|| seen_by_another(&Seen::new(), &Seen::new()));
}
