//! Models of versioned words. Words that change together are never read half changed, and no change is lost.
#![cfg(arcbus_loom)]

use std::sync::Arc;

use arcbus::__model::Words;
use arcbus_loom::{Seen, explore, weakened};
use loom::thread;

/// Reads the words while they are changed `changes` times, both in the slot being read and in the other slot.
fn a_reader(changes: usize, old: &Seen, new: &Seen) {
    let words = Arc::new(Words::new([1, 1]));
    let changed = Arc::clone(&words);
    let writer = thread::spawn(move || (0..changes).for_each(|_| changed.bump()));
    let [one, other] = words.read();
    assert_eq!(one, other, "half changed");
    old.count(one == 1);
    new.count(one == 1 + changes as u64);
    writer.join().unwrap();
}

#[test]
fn a_reader_sees_one_version() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("new", &NEW)];
    explore("versioned, one change", 3, states, || {
        a_reader(1, &OLD, &NEW);
    });
}

#[test]
fn a_reader_sees_one_version_of_three() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("new", &NEW)];
    explore("versioned, two changes", 3, states, || {
        a_reader(2, &OLD, &NEW);
    });
}

#[test]
fn no_change_of_two_writers_is_lost() {
    static BETWEEN: Seen = Seen::new();
    explore("versioned, writers", 3, [("between", &BETWEEN)], || {
        let words = Arc::new(Words::new([0, 0]));
        let changed = Arc::clone(&words);
        let writer = thread::spawn(move || changed.bump());
        words.bump();
        let [one, other] = words.read();
        assert_eq!(one, other, "half changed");
        BETWEEN.count(one == 1);
        writer.join().unwrap();
        assert_eq!(words.read(), [2, 2]);
    });
}

#[test]
#[should_panic(expected = "half changed")]
fn fails_with_two_changes_when_weakened() {
    weakened(|| a_reader(2, &Seen::new(), &Seen::new()));
}

#[test]
#[should_panic(expected = "half changed")]
fn fails_with_one_change_when_weakened() {
    weakened(|| a_reader(1, &Seen::new(), &Seen::new()));
}
