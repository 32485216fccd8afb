//! Models of the spare table. A replaced table without readers is reused for the next change, and a table
//! with a reader is not.
#![cfg(arcbus_loom)]

use arcbus::{Dispatch, LocalBus, Query, QueryBus};
use arcbus_loom::{First, Reads, Second, Seen, explore, weakened};
use loom::thread;

/// Replaces the handler twice. The second change writes into the first table if the reader has left it. The
/// second route makes a copy dearer than bringing a table up to date.
fn twice<D: Dispatch<First> + 'static>(handle: fn(&QueryBus) -> D, replies: [&Seen; 3]) {
    let old = [Reads::new(0), Reads::new(1)];
    let lives = old.each_ref().map(Reads::life);
    let [first, second] = old;
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(first)
        .register::<Second, _>(Reads::new(9))
        .open()
        .unwrap();
    let mut handle = handle(&bus);
    let reader = thread::spawn(move || {
        let reply = handle.execute_blocking(First).unwrap();
        drop(handle);
        (reply, thread::current().id())
    });
    for new in [second, Reads::new(2)] {
        drop(registrar.replace::<First, _>(new).unwrap());
    }
    let (reply, reader) = reader.join().unwrap();
    replies[reply].count(true);
    registrar.reclaim();
    for life in lives {
        assert!(life.dropped_by().is_some(), "kept for ever");
        assert_ne!(life.dropped_by(), Some(reader), "freed by a reader");
    }
    assert_eq!(bus.execute_blocking(First), Ok(2));
    assert_eq!(bus.execute_blocking(Second), Ok(9));
}

fn bus(bus: &QueryBus) -> QueryBus {
    bus.clone()
}

fn local(bus: &QueryBus) -> LocalBus<Query> {
    bus.local()
}

#[test]
fn a_bus_reads_no_table_that_is_written_into() {
    static REPLIES: [Seen; 3] = [const { Seen::new() }; 3];
    let [first, second, third] = &REPLIES;
    let states = [("first", first), ("second", second), ("third", third)];
    explore("spare under a bus", 2, states, || {
        twice(bus, REPLIES.each_ref())
    });
}

#[test]
fn a_local_bus_reads_no_table_that_is_written_into() {
    static REPLIES: [Seen; 3] = [const { Seen::new() }; 3];
    let [first, second, third] = &REPLIES;
    let states = [("first", first), ("second", second), ("third", third)];
    explore("spare under a local bus", 2, states, || {
        twice(local, REPLIES.each_ref())
    });
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent read and write")]
fn a_table_is_read_while_it_is_written_into_when_weakened() {
    static REPLIES: [Seen; 3] = [const { Seen::new() }; 3];
    weakened(|| twice(bus, REPLIES.each_ref()));
}
