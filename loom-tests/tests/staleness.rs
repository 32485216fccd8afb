//! A handle that keeps its table never answers from it after it could know of a change, and lets go of
//! it when told to.
#![cfg(arcbus_loom)]

use arcbus::QueryBus;
use arcbus_loom::{First, Reads, Seen, explore};
use loom::sync::Arc;
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::thread;

/// The writer changes the handler and then tells so by a flag of its own; the handles answer.
fn told(replace: bool, telling: [Ordering; 2], knew: &Seen, did_not: &Seen) {
    let [tell, listen] = telling;
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(Reads::new(1))
        .open()
        .unwrap();
    let (mut local, mut route) = (bus.local(), bus.route::<First>().unwrap());
    drop(bus);
    let flag = Arc::new(AtomicBool::new(false));
    let done = Arc::clone(&flag);
    let writer = thread::spawn(move || {
        let retired = if replace {
            registrar.replace::<First, _>(Reads::new(2))
        } else {
            registrar.deregister::<First>()
        };
        drop(retired.unwrap());
        done.store(true, tell);
    });
    let knows = flag.load(listen);
    for outcome in [local.execute_blocking(First), route.execute_blocking(First)] {
        let is_old = matches!(outcome, Ok(1));
        assert!(!(knows && is_old), "stale");
        assert!(is_old || replace && outcome == Ok(2) || !replace && outcome.is_err());
    }
    knew.count(knows);
    did_not.count(!knows);
    writer.join().unwrap();
}

const ORDERED: [Ordering; 2] = [Ordering::Release, Ordering::Acquire];

#[test]
fn a_replace_is_followed() {
    static KNEW: Seen = Seen::new();
    static DID_NOT: Seen = Seen::new();
    let states = [("knew", &KNEW), ("did not", &DID_NOT)];
    explore("staleness, replace", 2, states, || {
        told(true, ORDERED, &KNEW, &DID_NOT);
    });
}

#[test]
fn a_deregister_is_reported() {
    static KNEW: Seen = Seen::new();
    static DID_NOT: Seen = Seen::new();
    let states = [("knew", &KNEW), ("did not", &DID_NOT)];
    explore("staleness, deregister", 2, states, || {
        told(false, ORDERED, &KNEW, &DID_NOT);
    });
}

/// Who learned of the change by something that orders nothing may still be answered by the old one.
#[test]
#[should_panic(expected = "stale")]
fn a_flag_that_orders_nothing_tells_nothing() {
    explore("staleness, unordered flag", 2, [], || {
        told(true, [Ordering::Relaxed; 2], &Seen::new(), &Seen::new());
    });
}

/// Both handles let go, or only the one that was told to.
fn let_go(refresh_both: bool) {
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(Reads::new(1))
        .open()
        .unwrap();
    let (mut local, mut route) = (bus.local(), bus.route::<First>().unwrap());
    let writer = thread::spawn(move || registrar.replace::<First, _>(Reads::new(2)).unwrap());
    let early = local.execute_blocking(First);
    assert!(early == Ok(1) || early == Ok(2));
    let retired = writer.join().unwrap();
    local.refresh();
    if refresh_both {
        route.refresh();
    }
    assert!(retired.is_drained(), "kept");
}

#[test]
fn refreshed_handles_let_go() {
    explore("refresh", 3, [], || let_go(true));
}

#[test]
#[should_panic(expected = "kept")]
fn a_handle_that_is_not_refreshed_keeps_its_table() {
    explore("no refresh", 3, [], || let_go(false));
}
