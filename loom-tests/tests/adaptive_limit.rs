//! Models of the adaptive limit. No dispatch enters above the limit, and one thread computes the limit anew
//! for each window. The next computation sees everything that thread wrote.
#![cfg(arcbus_loom)]

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::adaptive_limit::{AdaptiveLimitPolicy, InFlight};
use arcbus::middleware::{AdaptiveLimit, Priority};
use arcbus_loom::{Payload, Seen, explore, explore_bounded, weakened};
use loom::thread;

const SLOW: Duration = Duration::from_secs(1);

/// Leaks the policy, so that threads can share the policy and its borrows.
fn policy(initial: usize) -> &'static AdaptiveLimitPolicy {
    let limit = AdaptiveLimit::aimd(SLOW).initial(initial).window(1);
    Box::leak(Box::new(limit.backoff(0.5).policy().unwrap()))
}

fn at(nanos: u64) -> Duration {
    Duration::from_nanos(nanos)
}

fn enter(policy: &'static AdaptiveLimitPolicy, nanos: u64) -> Option<InFlight<'static>> {
    policy.try_acquire(Priority::Critical, at(nanos))
}

/// Runs two threads that try to take the one permit and write while holding it.
fn two_tries(both: &'static Seen, one: &'static Seen) {
    let policy = policy(1);
    let payload = Arc::new(Payload::new(0));
    let write = |payload: Arc<Payload>| {
        let permit = enter(policy, 1);
        permit.map(|_permit| payload.set(1)).is_some()
    };
    let other = Arc::clone(&payload);
    let other = thread::spawn(move || write(other));
    let wrote = write(payload);
    let others = other.join().unwrap();
    assert!(wrote || others);
    both.count(wrote && others);
    one.count(wrote != others);
    assert_eq!(policy.usage().in_flight, 0);
}

#[test]
fn nobody_enters_above_the_limit() {
    static BOTH: Seen = Seen::new();
    static ONE: Seen = Seen::new();
    let states = [("one after the other", &BOTH), ("one refused", &ONE)];
    explore("adaptive, tries", 3, states, || two_tries(&BOTH, &ONE));
}

#[test]
#[should_panic(expected = "Causality violation")]
fn a_permit_orders_nothing_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| two_tries(&ANY, &ANY));
}

/// Two dispatches entered together, and both report an overload.
#[test]
fn two_overloads_lower_the_limit_once() {
    static LOWERED: Seen = Seen::new();
    static COMPUTED: Seen = Seen::new();
    let states = [("lowered", &LOWERED), ("being computed", &COMPUTED)];
    explore("adaptive, overloads", 3, states, || {
        let policy = policy(8);
        let (one, two) = (enter(policy, 1).unwrap(), enter(policy, 1).unwrap());
        let other = thread::spawn(move || {
            two.overloaded(at(5));
            policy.usage().limit
        });
        one.overloaded(at(5));
        let then = other.join().unwrap();
        LOWERED.count(then == 4);
        COMPUTED.count(then == 8);
        let usage = policy.usage();
        assert_eq!((usage.limit, usage.in_flight), (4, 0));
    });
}

/// Reports two answers, each of which may complete a window. The limit grows with the first answer, and the
/// second must see that change.
fn two_answers(grown: &'static Seen, computed: &'static Seen) {
    let policy = policy(2);
    let first = enter(policy, 9).unwrap();
    let other = thread::spawn(move || {
        enter(policy, 9).unwrap().answered(at(9));
        policy.usage().limit
    });
    first.answered(at(9));
    let then = other.join().unwrap();
    grown.count(then == 3);
    computed.count(then == 2);
    let usage = policy.usage();
    assert_eq!((usage.limit, usage.in_flight), (3, 0));
}

#[test]
fn who_closes_a_window_has_what_the_one_before_wrote() {
    static GROWN: Seen = Seen::new();
    static COMPUTED: Seen = Seen::new();
    let states = [("grown", &GROWN), ("being computed", &COMPUTED)];
    explore_bounded("adaptive, answers", 3, states, || {
        two_answers(&GROWN, &COMPUTED);
    });
}

/// Two dispatches that entered together report an overload, and a later dispatch reports an answer. The
/// second overload says nothing new. Its thread opens the window again that it had closed, with everything
/// the first thread wrote.
#[test]
fn a_window_that_is_opened_again_hands_on_what_was_written_before() {
    static LOWERED: Seen = Seen::new();
    static GROWN: Seen = Seen::new();
    let states = [("lowered last", &LOWERED), ("grown last", &GROWN)];
    explore_bounded("adaptive, opened again", 2, states, || {
        let policy = policy(6);
        let [one, two] = [(); 2].map(|()| enter(policy, 1).unwrap());
        let three = enter(policy, 9).unwrap();
        let first = thread::spawn(move || one.overloaded(at(5)));
        let answer = thread::spawn(move || three.answered(at(9)));
        two.overloaded(at(5));
        first.join().unwrap();
        answer.join().unwrap();
        let limit = policy.usage().limit;
        LOWERED.count(limit == 3);
        GROWN.count(limit == 7);
        assert!(
            limit == 3 || limit == 7,
            "a limit just lowered grew: {limit}"
        );
    });
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn who_closes_a_window_has_it_not_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| two_answers(&ANY, &ANY));
}

/// Changes the range while an answer or an overload changes the limit.
fn change_the_range(change: fn(InFlight<'static>), first: &'static Seen, last: &'static Seen) {
    let policy = policy(6);
    let permits = [(); 3].map(|()| enter(policy, 1).unwrap());
    let [permit, _two, _three] = permits;
    let other = thread::spawn(move || {
        change(permit);
        let limit = policy.usage().limit;
        first.count(!(4..=5).contains(&limit));
        last.count((4..=5).contains(&limit));
    });
    policy.set_range(4, 5).unwrap();
    assert!((4..=5).contains(&policy.usage().limit));
    other.join().unwrap();
    let usage = policy.usage();
    assert!((4..=5).contains(&usage.limit), "{usage:?}");
    assert_eq!(usage.in_flight, 2);
}

#[test]
fn a_limit_that_grows_is_in_its_range() {
    static FIRST: Seen = Seen::new();
    static LAST: Seen = Seen::new();
    let states = [("grew before", &FIRST), ("grew after", &LAST)];
    explore("adaptive, range, grows", 3, states, || {
        change_the_range(|permit| permit.answered(at(5)), &FIRST, &LAST);
    });
}

#[test]
fn a_limit_that_falls_is_in_its_range() {
    static FIRST: Seen = Seen::new();
    static LAST: Seen = Seen::new();
    let states = [("fell before", &FIRST), ("fell after", &LAST)];
    explore("adaptive, range, falls", 3, states, || {
        change_the_range(|permit| permit.overloaded(at(5)), &FIRST, &LAST);
    });
}
