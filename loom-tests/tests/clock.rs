//! Models of the fake clock. A thread that sees a time also sees every write made before the clock was moved
//! there.
#![cfg(arcbus_loom)]

use std::sync::Arc;
use std::time::Duration;

use arcbus::FakeClock;
use arcbus_loom::{Payload, Seen, explore, weakened};
use loom::thread;

const MS: Duration = Duration::from_millis(1);

/// Runs two threads that write and then move the clock, while a third thread reads the time. The reader is
/// spawned last. If the reader ran first, the load of a thread that moves the clock would hide the read.
fn moved(both: &'static Seen, none: &'static Seen) {
    let clock = FakeClock::new();
    let start = clock.now();
    let payloads = [0, 0].map(|value| Arc::new(Payload::new(value)));
    let [one, two] = payloads.clone();
    let moves = clock.clone();
    let other = thread::spawn(move || {
        two.set(1);
        moves.advance(MS);
    });
    let shows = clock.clone();
    let looks = thread::spawn(move || {
        let now = shows.now();
        none.count(now == start);
        if now == start + 2 * MS {
            both.count(true);
            assert_eq!(payloads.map(|payload| payload.get()), [1, 1]);
        }
    });
    one.set(1);
    clock.advance(MS);
    other.join().unwrap();
    looks.join().unwrap();
    assert_eq!(clock.now(), start + 2 * MS, "a move was lost");
}

#[test]
fn a_thread_that_sees_a_time_sees_what_was_done_before() {
    static BOTH: Seen = Seen::new();
    static NONE: Seen = Seen::new();
    let states = [("both moved", &BOTH), ("none moved", &NONE)];
    explore("clock, moved", 3, states, || moved(&BOTH, &NONE));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_thread_that_sees_a_time_sees_nothing_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| moved(&ANY, &ANY));
}
