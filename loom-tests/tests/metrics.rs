//! Models of the metrics. A snapshot taken while threads record is consistent, and no count is lost when a
//! slot moves to another thread.
#![cfg(arcbus_loom)]

use std::sync::Arc;

use arcbus::metrics::Recorded;
use arcbus_loom::{Seen, explore, explore_bounded, weakened};
use loom::thread;

/// Takes a slot, runs `work` with the slot, and gives the slot back.
fn on_a_slot(recorded: &Recorded, work: impl FnOnce(usize)) {
    let slot = recorded.take_slot();
    work(slot);
    recorded.give_back_slot(slot);
}

fn once(recorded: &Recorded) {
    on_a_slot(recorded, |slot| {
        recorded.start(slot);
        recorded.reply(slot);
    });
}

/// Adds up the counts on a separate thread, which is spawned last. `loom` runs the recording threads first,
/// and then looks for values that the reader could have seen earlier. In the opposite order, the load of a
/// recording thread would hide the reader.
fn reader(recorded: &Arc<Recorded>) -> thread::JoinHandle<[u64; 3]> {
    let recorded = Arc::clone(recorded);
    thread::spawn(move || {
        let [started, replies, failed] = recorded.totals();
        assert!(replies + failed <= started, "ended before it began");
        [started, replies, failed]
    })
}

/// Adds up the counts while two threads record.
fn a_snapshot(running: &Seen, ended: &Seen) {
    let recorded = Arc::new(Recorded::new(2));
    let other = Arc::clone(&recorded);
    let records = thread::spawn(move || once(&other));
    let reads = reader(&recorded);
    once(&recorded);
    let [started, replies, _] = reads.join().unwrap();
    running.count(started > replies);
    ended.count(replies == 1);
    records.join().unwrap();
    assert_eq!(recorded.totals(), [2, 2, 0]);
}

#[test]
fn a_snapshot_agrees_with_itself() {
    static RUNNING: Seen = Seen::new();
    static ENDED: Seen = Seen::new();
    let states = [("running", &RUNNING), ("ended", &ENDED)];
    explore("metrics, snapshot", 2, states, || {
        a_snapshot(&RUNNING, &ENDED);
    });
}

/// Begins a dispatch on one thread and ends it on another.
fn a_dispatch_that_moves(moved: &Seen) {
    let recorded = Arc::new(Recorded::new(2));
    let (first, second) = (recorded.take_slot(), recorded.take_slot());
    let reads = reader(&recorded);
    recorded.start(first);
    let other = Arc::clone(&recorded);
    let ends = thread::spawn(move || other.fail(second));
    ends.join().unwrap();
    moved.count(reads.join().unwrap() == [1, 0, 1]);
    assert_eq!(recorded.totals(), [1, 0, 1]);
}

#[test]
fn a_dispatch_ends_on_another_thread() {
    static MOVED: Seen = Seen::new();
    explore_bounded("metrics, moved", 3, [("moved", &MOVED)], || {
        a_dispatch_that_moves(&MOVED);
    });
}

#[test]
#[should_panic(expected = "ended before it began")]
fn fails_on_another_thread_when_weakened() {
    weakened(|| a_dispatch_that_moves(&Seen::new()));
}

#[test]
fn a_slot_goes_to_another_thread_and_nothing_is_lost() {
    static SAME: Seen = Seen::new();
    explore("metrics, slots", 3, [("same slot", &SAME)], || {
        let recorded = Arc::new(Recorded::new(2));
        let other = Arc::clone(&recorded);
        let ends = thread::spawn(move || once(&other));
        on_a_slot(&recorded, |slot| {
            SAME.count(recorded.totals() == [1, 1, 0] && slot == 0);
            recorded.start(slot);
            recorded.reply(slot);
        });
        ends.join().unwrap();
        assert_eq!(recorded.totals(), [2, 2, 0]);
    });
}

#[test]
fn threads_without_a_slot_share() {
    static SHARED: Seen = Seen::new();
    explore("metrics, shared", 3, [("shared", &SHARED)], || {
        // The second set of cells is the last one, which all threads without a slot share.
        let recorded = Arc::new(Recorded::new(2));
        let slots = [(); 3].map(|()| recorded.take_slot());
        assert_eq!(slots, [0, 1, 2]);
        let other = Arc::clone(&recorded);
        let records = thread::spawn(move || {
            other.start(2);
            other.reply(2);
        });
        recorded.start(2);
        SHARED.count(recorded.totals()[0] == 2);
        recorded.reply(2);
        records.join().unwrap();
        assert_eq!(recorded.totals(), [2, 2, 0]);
    });
}

/// A dispatch begins on a thread without a slot, and ends on another thread without a slot.
#[test]
fn a_dispatch_moves_between_threads_without_a_slot() {
    static MOVED: Seen = Seen::new();
    explore(
        "metrics, moved without a slot",
        3,
        [("moved", &MOVED)],
        || {
            let recorded = Arc::new(Recorded::new(2));
            let slots = [(); 3].map(|()| recorded.take_slot());
            let reads = reader(&recorded);
            recorded.start(slots[2]);
            let other = Arc::clone(&recorded);
            thread::spawn(move || other.fail(2)).join().unwrap();
            MOVED.count(reads.join().unwrap() == [1, 0, 1]);
            assert_eq!(recorded.totals(), [1, 0, 1]);
        },
    );
}

/// The mistake: two threads use one slot, as if the slot were taken again before being given back.
#[test]
#[should_panic(expected = "left == right")]
fn fails_where_two_threads_have_one_slot() {
    explore("metrics, one slot for two", 3, [], || {
        let recorded = Arc::new(Recorded::new(2));
        let slot = recorded.take_slot();
        let other = Arc::clone(&recorded);
        let records = thread::spawn(move || other.start(slot));
        recorded.start(slot);
        records.join().unwrap();
        assert_eq!(recorded.totals(), [2, 0, 0]);
    });
}
