//! Models of writers. No concurrent change is lost, and changes of one batch become visible together.
#![cfg(arcbus_loom)]

use arcbus::__model::Published;
use arcbus::QueryBus;
use arcbus_loom::{First, Reads, Second, Seen, explore};
use loom::sync::Arc;
use loom::thread;

#[test]
fn no_change_is_lost() {
    static BEFORE: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("saw the other", &AFTER), ("did not", &BEFORE)];
    explore("lost update", 2, states, || {
        let (bus, registrar) = QueryBus::builder().open().unwrap();
        let (other_bus, other) = (bus.clone(), registrar.clone());
        let writer = thread::spawn(move || {
            other.register::<Second, _>(Reads::new(2)).unwrap();
            let saw = other_bus.execute_blocking(First).is_ok();
            AFTER.count(saw);
            BEFORE.count(!saw);
        });
        registrar.register::<First, _>(Reads::new(1)).unwrap();
        writer.join().unwrap();
        assert_eq!(bus.execute_blocking(First), Ok(1));
        assert_eq!(bus.execute_blocking(Second), Ok(2));
    });
}

#[test]
#[should_panic(expected = "lost")]
fn a_change_is_lost_without_the_lock() {
    explore("lost update without the lock", 2, [], || {
        let published = Arc::new(Published::new([false; 2]));
        let other = Arc::clone(&published);
        let writer = thread::spawn(move || other.change(|&[first, _]| [first, true]));
        published.change(|&[_, second]| [true, second]);
        writer.join().unwrap();
        published.read(|seen| assert_eq!(seen, &[true; 2], "lost"));
    });
}

fn half(together: bool, none: &Seen, all: &Seen) {
    let (bus, registrar) = QueryBus::builder().open().unwrap();
    let writer = thread::spawn(move || {
        if together {
            let retired = registrar.update(|batch| {
                batch
                    .register::<First, _>(Reads::new(1))
                    .register::<Second, _>(Reads::new(2));
            });
            drop(retired.unwrap());
        } else {
            registrar.register::<First, _>(Reads::new(1)).unwrap();
            registrar.register::<Second, _>(Reads::new(2)).unwrap();
        }
    });
    let routes = bus.routes().len();
    assert_ne!(routes, 1, "saw half");
    none.count(routes == 0);
    all.count(routes == 2);
    writer.join().unwrap();
}

#[test]
fn a_batch_is_seen_whole() {
    static NONE: Seen = Seen::new();
    static ALL: Seen = Seen::new();
    let states = [("none", &NONE), ("all", &ALL)];
    explore("batch", 3, states, || half(true, &NONE, &ALL));
}

#[test]
#[should_panic(expected = "saw half")]
fn two_changes_are_not_seen_whole() {
    explore("batch as two", 2, [], || {
        half(false, &Seen::new(), &Seen::new());
    });
}

/// Dispatches twice, and checks that the second dispatch sees no older handler than the first.
fn in_order(together: bool, old: &Seen, between: &Seen, new: &Seen) {
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(Reads::new(1))
        .register::<Second, _>(Reads::new(1))
        .open()
        .unwrap();
    let writer = thread::spawn(move || {
        if together {
            let retired = registrar.update(|batch| {
                batch
                    .replace::<First, _>(Reads::new(2))
                    .replace::<Second, _>(Reads::new(2));
            });
            drop(retired.unwrap());
        } else {
            drop(registrar.replace::<First, _>(Reads::new(2)).unwrap());
            drop(registrar.replace::<Second, _>(Reads::new(2)).unwrap());
        }
    });
    let first = bus.execute_blocking(First).unwrap();
    let second = bus.execute_blocking(Second).unwrap();
    assert!(first <= second, "went back");
    old.count((first, second) == (1, 1));
    between.count((first, second) == (1, 2));
    new.count((first, second) == (2, 2));
    writer.join().unwrap();
}

#[test]
fn a_batch_is_dispatched_to_whole() {
    static OLD: Seen = Seen::new();
    static BETWEEN: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("between", &BETWEEN), ("new", &NEW)];
    explore("batch, dispatches", 2, states, || {
        in_order(true, &OLD, &BETWEEN, &NEW);
    });
}

#[test]
#[should_panic(expected = "went back")]
fn two_changes_are_not_dispatched_to_whole() {
    explore("batch as two, dispatches", 2, [], || {
        in_order(false, &Seen::new(), &Seen::new(), &Seen::new());
    });
}
