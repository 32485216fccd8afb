//! Models of the rate limit. No more tokens are taken than there are, and several are taken together or not
//! at all. Rate and burst change together.
#![cfg(arcbus_loom)]

use std::time::Duration;

use arcbus::middleware::rate_limit::{KeyedRateLimitPolicy, Rate, RateLimitPolicy};
use arcbus_loom::{Seen, explore, weakened};
use loom::sync::Arc;
use loom::thread;

const NOW: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn hourly(burst: u32) -> Rate {
    Rate::every(Duration::from_secs(3600)).burst(burst)
}

/// Takes tokens on one thread for each entry, which holds a time and a number of tokens. Returns which of
/// them passed.
fn takers(policy: &Arc<RateLimitPolicy>, takes: &[(Duration, u32)]) -> Vec<bool> {
    let take = |(now, count)| {
        let policy = Arc::clone(policy);
        thread::spawn(move || policy.check_n(now, count).is_ok())
    };
    let (here, others) = takes.split_first().expect("at least one");
    let others: Vec<_> = others.iter().copied().map(take).collect();
    let mut passed = vec![policy.check_n(here.0, here.1).is_ok()];
    passed.extend(others.into_iter().map(|other| other.join().unwrap()));
    passed
}

#[test]
fn two_threads_do_not_share_a_token() {
    static FIRST: Seen = Seen::new();
    static SECOND: Seen = Seen::new();
    let states = [("first", &FIRST), ("second", &SECOND)];
    explore("rate limit, one token", 3, states, || {
        let policy = Arc::new(RateLimitPolicy::new(hourly(1)).unwrap());
        // The second thread is late: it read the clock and was then held up.
        let passed = takers(&policy, &[(NOW, 1), (NOW - ms(1), 1)]);
        FIRST.count(passed[0]);
        SECOND.count(passed[1]);
        assert_ne!(passed[0], passed[1], "one of them");
    });
}

#[test]
fn three_threads_take_what_there_is() {
    static EACH: [Seen; 3] = [Seen::new(), Seen::new(), Seen::new()];
    let states = [
        ("0 left", &EACH[0]),
        ("1 left", &EACH[1]),
        ("2 left", &EACH[2]),
    ];
    explore("rate limit, three threads", 2, states, || {
        let policy = Arc::new(RateLimitPolicy::new(hourly(2)).unwrap());
        let passed = takers(&policy, &[(NOW, 1); 3]);
        assert_eq!(passed.iter().filter(|passed| **passed).count(), 2);
        for (seen, passed) in EACH.iter().zip(passed) {
            seen.count(!passed);
        }
        assert_eq!(policy.available(NOW), 0);
    });
}

#[test]
fn several_are_taken_together_or_not_at_all() {
    static BOTH_FIRST: Seen = Seen::new();
    static TWO_LEFT: Seen = Seen::new();
    let states = [("2 and 1", &BOTH_FIRST), ("1 alone", &TWO_LEFT)];
    explore("rate limit, several", 3, states, || {
        let policy = Arc::new(RateLimitPolicy::new(hourly(3)).unwrap());
        let passed = takers(&policy, &[(NOW, 2), (NOW, 2), (NOW, 1)]);
        let taken: u32 = [2, 2, 1]
            .iter()
            .zip(&passed)
            .filter(|(_, passed)| **passed)
            .map(|(count, _)| count)
            .sum();
        assert_eq!(taken, 3, "one of the two, and the one");
        assert_eq!(policy.available(NOW), 0);
        BOTH_FIRST.count(passed[0]);
        TWO_LEFT.count(passed[1]);
    });
}

/// Changes the rate of a policy from one token a day to one token a millisecond, while this thread takes
/// tokens.
fn change(old: &'static Seen, new: &'static Seen) {
    let policy = Arc::new(RateLimitPolicy::new(Rate::every(DAY).burst(1)).unwrap());
    let changed = Arc::clone(&policy);
    let fast = Rate::every(ms(1)).burst(4);
    let changing = thread::spawn(move || changed.change(NOW, fast).unwrap());
    let passed = (0..2).filter(|_| policy.check(NOW).is_ok()).count();
    changing.join().unwrap();
    assert_eq!(policy.rate(), fast);
    old.count(passed == 1);
    new.count(passed == 2);
    // No day of debt is left, whichever limits applied to the messages.
    assert_eq!(policy.available(NOW + ms(4)), 4);
    assert!(policy.check_n(NOW + ms(4), 4).is_ok());
}

#[test]
fn who_takes_by_the_old_limits_does_it_before_the_change() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("by the old", &OLD), ("by the new", &NEW)];
    explore("rate limit, change", 3, states, || change(&OLD, &NEW));
}

/// The thread that changes the limits runs first, because its load of the bucket would hide the load of an
/// earlier taker.
#[test]
fn a_taker_that_finds_the_bucket_changed_reads_the_new_limits() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("by the old", &OLD), ("by the new", &NEW)];
    explore("rate limit, changer first", 3, states, || {
        let policy = Arc::new(RateLimitPolicy::new(Rate::every(DAY).burst(1)).unwrap());
        let takes = Arc::clone(&policy);
        let taker = thread::spawn(move || (0..2).filter(|_| takes.check(NOW).is_ok()).count());
        policy.change(NOW, Rate::every(ms(1)).burst(4)).unwrap();
        let passed = taker.join().unwrap();
        OLD.count(passed == 1);
        NEW.count(passed == 2);
        let available = policy.available(NOW + ms(4));
        assert_eq!(available, 4, "a day of debt is left");
    });
}

/// Only one message is sent, because a second message would correct the debt that the first left.
#[test]
fn a_taker_that_is_overtaken_by_a_change_takes_by_the_new_limits() {
    static OVERTAKEN: Seen = Seen::new();
    explore("rate limit, overtaken", 3, [("any", &OVERTAKEN)], || {
        let policy = Arc::new(RateLimitPolicy::new(Rate::every(DAY).burst(1)).unwrap());
        let changed = Arc::clone(&policy);
        let fast = Rate::every(ms(1)).burst(4);
        let changing = thread::spawn(move || changed.change(NOW, fast).unwrap());
        OVERTAKEN.count(policy.check(NOW).is_ok());
        changing.join().unwrap();
        let available = policy.available(NOW + ms(4));
        assert_eq!(available, 4, "a day of debt is left");
    });
}

#[test]
#[should_panic]
fn who_takes_by_the_old_limits_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| change(&ANY, &ANY));
}

#[test]
fn rate_and_burst_are_read_together() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old", &OLD), ("new", &NEW)];
    explore("rate limit, rate", 3, states, || {
        let (before, after) = (hourly(2), Rate::per_second(7).burst(5));
        let policy = Arc::new(RateLimitPolicy::new(before).unwrap());
        let changed = Arc::clone(&policy);
        let changing = thread::spawn(move || changed.change(NOW, after).unwrap());
        let rate = policy.rate();
        OLD.count(rate == before);
        NEW.count(rate == after);
        assert!(rate == before || rate == after);
        changing.join().unwrap();
    });
}

/// Returns an empty policy that gains a token every 10 ms.
fn waited_for() -> Arc<RateLimitPolicy> {
    let policy = RateLimitPolicy::new(Rate::every(ms(10)).burst(1)).unwrap();
    let policy = Arc::new(policy.wait_at_most(ms(100)));
    assert!(policy.check(NOW).is_ok());
    policy
}

#[test]
fn those_behind_a_reservation_that_is_left_move_up() {
    static BEHIND: Seen = Seen::new();
    static BEFORE: Seen = Seen::new();
    let states = [("behind it", &BEHIND), ("before it, or alone", &BEFORE)];
    explore("rate limit, reservations", 3, states, || {
        let policy = waited_for();
        let other = Arc::clone(&policy);
        let leaving = thread::spawn(move || drop(other.reserve(NOW, 1).unwrap()));
        let turn = policy.reserve(NOW, 1).unwrap();
        let wait = turn.wait();
        BEHIND.count(wait == ms(20));
        BEFORE.count(wait == ms(10));
        leaving.join().unwrap();
        assert_eq!(turn.wait(), ms(10), "whoever was before it");
        turn.used();
        assert_eq!(policy.reserve(NOW, 1).unwrap().wait(), ms(20));
    });
}

#[test]
fn two_that_leave_at_once_give_back_both() {
    static FIRST: Seen = Seen::new();
    static SECOND: Seen = Seen::new();
    let states = [("first", &FIRST), ("second", &SECOND)];
    explore("rate limit, two leave", 2, states, || {
        let policy = waited_for();
        let leave = || {
            let other = Arc::clone(&policy);
            thread::spawn(move || {
                let turn = other.reserve(NOW, 1).unwrap();
                let wait = turn.wait();
                drop(turn);
                wait
            })
        };
        let (one, two) = (leave(), leave());
        let waits = [one.join().unwrap(), two.join().unwrap()];
        FIRST.count(waits == [ms(10), ms(20)]);
        SECOND.count(waits == [ms(20), ms(10)]);
        assert_eq!(policy.reserve(NOW, 1).unwrap().wait(), ms(10));
    });
}

#[test]
fn one_that_was_served_keeps_its_turn() {
    static KEPT: Seen = Seen::new();
    static MOVED: Seen = Seen::new();
    let states = [("kept its turn", &KEPT), ("moved up", &MOVED)];
    explore("rate limit, served", 3, states, || {
        let policy = waited_for();
        let other = Arc::clone(&policy);
        let leaving = thread::spawn(move || drop(other.reserve(NOW, 1).unwrap()));
        policy.reserve(NOW, 1).unwrap().used();
        leaving.join().unwrap();
        let next = policy.reserve(NOW, 1).unwrap().wait();
        KEPT.count(next == ms(30));
        MOVED.count(next == ms(20));
        assert!([ms(20), ms(30)].contains(&next), "{next:?}");
    });
}

#[test]
fn a_new_key_has_one_bucket() {
    static HERE: Seen = Seen::new();
    static THERE: Seen = Seen::new();
    let states = [("here", &HERE), ("there", &THERE)];
    explore("rate limit, new key", 2, states, || {
        let policy = Arc::new(KeyedRateLimitPolicy::<u32>::new(hourly(1), 1).unwrap());
        let other = Arc::clone(&policy);
        let there = thread::spawn(move || other.check(&1, NOW).is_ok());
        let here = policy.check(&1, NOW).is_ok();
        let there = there.join().unwrap();
        HERE.count(here);
        THERE.count(there);
        assert_ne!(here, there);
        assert_eq!(policy.keys(), 1);
    });
}
