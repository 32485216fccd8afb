//! A rate limit lets no more pass than its tokens, whoever races for the last one.
#![cfg(arcbus_loom)]

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::rate_limit::{Quota, RateLimitPolicy};
use arcbus_loom::{Seen, explore};
use loom::thread;

const NOW: Duration = Duration::from_secs(1_000);
const SECOND: Duration = Duration::from_secs(1);

fn policy(burst: u32) -> Arc<RateLimitPolicy> {
    let quota = Quota::every(SECOND).burst(burst);
    Arc::new(RateLimitPolicy::new(quota).unwrap())
}

/// How many of `threads` threads that take `n` tokens each at the same moment pass.
fn race(policy: &Arc<RateLimitPolicy>, threads: usize, n: u32) -> usize {
    let taker = |_| {
        let policy = Arc::clone(policy);
        thread::spawn(move || policy.check_n(n, NOW).is_ok())
    };
    let others: Vec<_> = (1..threads).map(taker).collect();
    let mine = usize::from(policy.check_n(n, NOW).is_ok());
    let theirs = others.into_iter().filter_map(|other| other.join().ok());
    mine + theirs.filter(|passed| *passed).count()
}

#[test]
fn one_of_two_gets_the_last_token() {
    explore("rate limit, two threads", 3, [], || {
        let policy = policy(1);
        assert_eq!(race(&policy, 2, 1), 1);
        assert_eq!(policy.available(NOW), 0);
    });
}

#[test]
fn two_of_three_get_the_last_tokens() {
    explore("rate limit, three threads", 2, [], || {
        let policy = policy(2);
        assert_eq!(race(&policy, 3, 1), 2);
        assert_eq!(policy.available(NOW), 0);
    });
}

#[test]
fn several_tokens_are_taken_together() {
    explore("rate limit, two tokens each", 3, [], || {
        let policy = policy(3);
        assert_eq!(race(&policy, 2, 2), 1, "both would need four");
        assert_eq!(policy.available(NOW), 1);
    });
}

#[test]
fn a_token_comes_back_once() {
    explore("rate limit, the next token", 3, [], || {
        let policy = policy(1);
        assert!(policy.check(NOW).is_ok());
        let later = Arc::clone(&policy);
        let other = thread::spawn(move || later.check(NOW + SECOND).is_ok());
        let mine = policy.check(NOW + SECOND).is_ok();
        assert!(mine ^ other.join().unwrap());
    });
}

#[test]
fn a_quota_is_changed_while_tokens_are_taken() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("old quota", &OLD), ("new quota", &NEW)];
    explore("rate limit, change", 3, states, || {
        let policy = policy(1);
        let changes = Arc::clone(&policy);
        // A burst of three, each of a tenth: with the old interval it would be three seconds.
        let quota = Quota::every(SECOND / 10).burst(3);
        let changer = thread::spawn(move || changes.set_quota(quota).unwrap());
        assert!(policy.check(NOW).is_ok());
        changer.join().unwrap();
        let left = policy.available(NOW);
        OLD.count(left == 0);
        NEW.count(left == 2);
        assert!(left == 0 || left == 2, "{left} of a torn pair");
    });
}

/// A check and a change of it as two steps: what the policy does in one.
fn check_then_act() {
    let policy = policy(1);
    let takes = |policy: &RateLimitPolicy| {
        let there = policy.available(NOW) > 0;
        if there {
            let _ = policy.check_n(1, NOW);
        }
        there
    };
    let other = Arc::clone(&policy);
    let other = thread::spawn(move || takes(&other));
    let both = takes(&policy) & other.join().unwrap();
    assert!(!both, "two passed with one token");
}

#[test]
#[should_panic(expected = "two passed with one token")]
fn fails_where_looking_and_taking_are_two_steps() {
    explore("rate limit, check then act", 3, [], check_then_act);
}
