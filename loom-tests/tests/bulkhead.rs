//! Models of the bulkhead. No permit and no wake-up is lost, and no waiter is passed. The next holder of a
//! permit sees everything the holder before did.
#![cfg(arcbus_loom)]

use std::sync::Arc;

use arcbus::__model::Parking;
use arcbus::middleware::bulkhead::{BulkheadPolicy, Permit, Turn};
use arcbus_loom::{Payload, Seen, explore, explore_bounded, weakened};
use loom::thread;

/// Leaks the policy, so that threads can share the policy and its borrows.
fn policy(limit: usize, len: usize) -> &'static BulkheadPolicy {
    Box::leak(Box::new(BulkheadPolicy::with_queue(limit, len).unwrap()))
}

/// Takes the permit of `turn`, and parks this thread as long as necessary. Also returns whether the thread
/// had to park.
fn wait(mut turn: Turn<'static>) -> (Permit<'static>, bool) {
    let parking = Parking::new();
    let waker = parking.waker();
    let mut waited = false;
    loop {
        if let Some(permit) = turn.poll(&waker) {
            return (permit, waited);
        }
        waited = true;
        parking.park();
    }
}

/// Returns the number of permits in use, and the number of waiters.
fn usage(policy: &BulkheadPolicy) -> (usize, usize) {
    let usage = policy.usage();
    (usage.in_use, usage.waiting)
}

/// Runs two threads that need the one permit, and write while holding it.
fn two_writers(at_once: &'static Seen, freed: &'static Seen, waited: &'static Seen) {
    let policy = policy(1, 1);
    let payload = Arc::new(Payload::new(0));
    let write = |payload: Arc<Payload>| {
        let permit = match policy.try_acquire() {
            Some(permit) => {
                at_once.count(true);
                permit
            }
            None => {
                let (permit, had_to) = wait(policy.join().expect("room for one"));
                waited.count(had_to);
                freed.count(!had_to);
                permit
            }
        };
        payload.set(payload.get() + 1);
        drop(permit);
    };
    let other = Arc::clone(&payload);
    let other = thread::spawn(move || write(other));
    write(Arc::clone(&payload));
    other.join().unwrap();
    assert_eq!((usage(policy), payload.get()), ((0, 0), 2));
}

#[test]
fn the_next_holder_is_woken_and_sees_what_the_one_before_did() {
    static AT_ONCE: Seen = Seen::new();
    static FREED: Seen = Seen::new();
    static WAITED: Seen = Seen::new();
    let states = [
        ("free", &AT_ONCE),
        ("freed meanwhile", &FREED),
        ("waited", &WAITED),
    ];
    explore("bulkhead, writers", 3, states, || {
        two_writers(&AT_ONCE, &FREED, &WAITED);
    });
}

/// Tries without the queue, whose lock would order the accesses that the atomic word leaves unordered.
fn two_tries(both: &'static Seen, one: &'static Seen) {
    let policy = policy(1, 1);
    let payload = Arc::new(Payload::new(0));
    let write = |payload: Arc<Payload>| {
        let permit = policy.try_acquire();
        permit.map(|_permit| payload.set(1)).is_some()
    };
    let other = Arc::clone(&payload);
    let other = thread::spawn(move || write(other));
    let wrote = write(payload);
    let others = other.join().unwrap();
    assert!(wrote || others);
    both.count(wrote && others);
    one.count(wrote != others);
    assert_eq!(usage(policy), (0, 0));
}

#[test]
fn a_permit_is_held_by_one() {
    static BOTH: Seen = Seen::new();
    static ONE: Seen = Seen::new();
    let states = [("one after the other", &BOTH), ("one refused", &ONE)];
    explore("bulkhead, tries", 3, states, || two_tries(&BOTH, &ONE));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_permit_orders_nothing_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| two_tries(&ANY, &ANY));
}

#[test]
fn nobody_passes_a_waiter() {
    static BEFORE: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("tried before", &BEFORE), ("tried after", &AFTER)];
    explore("bulkhead, passing", 3, states, || {
        let policy = policy(1, 2);
        let permit = policy.try_acquire().unwrap();
        let mut first = policy.join().unwrap();
        let mut second = policy.join().unwrap();
        let runner = thread::spawn(move || drop(permit));
        let passer = thread::spawn(move || assert!(policy.try_acquire().is_none()));
        let waker = Parking::new().waker();
        assert!(second.poll(&waker).is_none(), "the second goes first");
        let granted = first.poll(&waker);
        AFTER.count(granted.is_some());
        BEFORE.count(granted.is_none());
        passer.join().unwrap();
        runner.join().unwrap();
        assert_eq!(usage(policy), (1, 1));
        drop((granted, first));
        assert!(second.poll(&waker).is_some());
        assert_eq!(usage(policy), (0, 0));
    });
}

#[test]
fn a_waiter_dropped_around_the_hand_over_loses_no_permit() {
    static QUEUED: Seen = Seen::new();
    static HANDED: Seen = Seen::new();
    let states = [
        ("while it waited", &QUEUED),
        ("after the hand-over", &HANDED),
    ];
    explore("bulkhead, dropped", 2, states, || {
        let policy = policy(1, 2);
        let permit = policy.try_acquire().unwrap();
        let (first, second) = (policy.join().unwrap(), policy.join().unwrap());
        let runner = thread::spawn(move || drop(permit));
        let leaver = thread::spawn(move || {
            let handed = policy.usage().waiting == 1;
            HANDED.count(handed);
            QUEUED.count(!handed);
            drop(first);
        });
        drop(wait(second).0);
        runner.join().unwrap();
        leaver.join().unwrap();
        assert_eq!(usage(policy), (0, 0));
    });
}

#[test]
fn a_higher_limit_and_a_release_let_both_waiters_in() {
    static RAISED: Seen = Seen::new();
    static RELEASED: Seen = Seen::new();
    let states = [
        ("after the raise", &RAISED),
        ("after the release", &RELEASED),
    ];
    explore("bulkhead, raised", 2, states, || {
        let policy = policy(1, 2);
        let permit = policy.try_acquire().unwrap();
        let (first, second) = (policy.join().unwrap(), policy.join().unwrap());
        let raiser = thread::spawn(move || policy.set_limit(2).unwrap());
        drop(permit);
        let first = wait(first).0;
        let usage_then = policy.usage();
        RAISED.count(usage_then.limit == 2);
        RELEASED.count(usage_then.limit == 1);
        assert!(usage_then.in_use <= usage_then.limit, "{usage_then:?}");
        let second = wait(second).0;
        raiser.join().unwrap();
        assert_eq!(usage(policy), (2, 0));
        drop((first, second));
    });
}

#[test]
fn a_lower_limit_holds_for_who_comes_after_it() {
    static IN: Seen = Seen::new();
    static OUT: Seen = Seen::new();
    let states = [("entered before", &IN), ("refused", &OUT)];
    explore("bulkhead, lowered", 3, states, || {
        let policy = policy(2, 1);
        let permit = policy.try_acquire().unwrap();
        let lowers = thread::spawn(move || policy.set_limit(1).unwrap());
        let other = thread::spawn(move || policy.try_acquire());
        lowers.join().unwrap();
        let other = other.join().unwrap();
        IN.count(other.is_some());
        OUT.count(other.is_none());
        assert!(policy.try_acquire().is_none());
        drop(permit);
        assert_eq!(policy.try_acquire().is_some(), other.is_none());
    });
}

/// A thread gives the permit back, and another thread, which changes the limit, hands the permit to the
/// waiter.
#[test]
fn a_permit_that_another_thread_hands_on_brings_what_its_holder_did() {
    static HANDED: Seen = Seen::new();
    static GIVEN: Seen = Seen::new();
    let states = [("handed on", &HANDED), ("given back", &GIVEN)];
    explore_bounded("bulkhead, handed on", 2, states, || {
        let policy = policy(1, 1);
        let payload = Arc::new(Payload::new(0));
        let permit = policy.try_acquire().unwrap();
        let turn = policy.join().unwrap();
        let hands = thread::spawn(move || {
            policy.set_limit(1).unwrap();
            HANDED.count(policy.usage().waiting == 0);
        });
        let theirs = Arc::clone(&payload);
        let holder = thread::spawn(move || {
            theirs.set(1);
            drop(permit);
            GIVEN.count(policy.usage().waiting == 0);
        });
        let (permit, _) = wait(turn);
        assert_eq!(payload.get(), 1);
        payload.set(2);
        drop(permit);
        hands.join().unwrap();
        holder.join().unwrap();
    });
}

/// The mistake: the waiter never polls, so it leaves no waker.
#[test]
#[should_panic(expected = "deadlock")]
fn who_does_not_poll_is_not_woken() {
    explore("bulkhead, unpolled", 3, [], || {
        let policy = policy(1, 1);
        let permit = policy.try_acquire().unwrap();
        let turn = policy.join().unwrap();
        let runner = thread::spawn(move || drop(permit));
        Parking::new().park();
        drop(turn);
        runner.join().unwrap();
    });
}
