//! The policy by itself, with explicit time.

use std::time::Duration;

use super::{Rate, RateLimitPolicy, Refused};

const START: Duration = Duration::from_secs(60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

fn at(millis: u64) -> Duration {
    START + ms(millis)
}

/// One token each 10 ms.
fn policy(burst: u32) -> RateLimitPolicy {
    RateLimitPolicy::new(Rate::per_second(100).burst(burst)).expect("in range")
}

fn retry(refused: Result<(), Refused>) -> Option<Duration> {
    refused.expect_err("nothing left").retry_after()
}

/// How many pass one by one at `now`.
fn drain(policy: &RateLimitPolicy, now: Duration) -> usize {
    (0..1000).take_while(|_| policy.check(now).is_ok()).count()
}

#[test]
fn a_full_bucket_gives_a_burst_and_then_one_an_interval() {
    let policy = policy(3);
    assert_eq!(policy.available(START), 3);
    assert_eq!(drain(&policy, START), 3);
    assert_eq!(retry(policy.check(START)), Some(ms(10)));
    assert_eq!(retry(policy.check(at(9))), Some(ms(1)));
    assert_eq!(drain(&policy, at(10)), 1);
    assert_eq!(policy.available(at(29)), 1);
    assert_eq!(drain(&policy, at(1000)), 3);
}

#[test]
fn a_burst_of_one_spaces_messages_out() {
    let policy = policy(1);
    assert_eq!(drain(&policy, START), 1);
    assert_eq!(drain(&policy, at(10) - Duration::from_nanos(1)), 0);
    assert_eq!(drain(&policy, at(10)), 1);
}

#[test]
fn several_are_taken_together_or_not_at_all() {
    let policy = policy(3);
    assert_eq!(policy.check_n(START, 2), Ok(()));
    assert_eq!(retry(policy.check_n(START, 2)), Some(ms(10)));
    assert_eq!(policy.available(START), 1, "nothing was taken");
    assert_eq!(retry(policy.check_n(START, 4)), None);
    assert_eq!(retry(policy.check_n(START, u32::MAX)), None);
    assert_eq!(policy.check_n(START, 0), Ok(()));
    assert_eq!(policy.check_n(at(10), 2), Ok(()));
}

#[test]
fn an_earlier_time_than_others_gets_less_and_gives_nothing() {
    let policy = policy(2);
    assert_eq!(drain(&policy, at(10)), 2);
    assert_eq!(retry(policy.check(START)), Some(ms(20)));
    assert_eq!(policy.available(START), 0);
    assert_eq!(retry(policy.check(at(10))), Some(ms(10)));
}

#[test]
fn nothing_wraps_at_the_ends_of_time() {
    // A day, rounded up.
    let day = Rate::every(DAY).interval();
    let end = Duration::from_nanos(u64::MAX);
    let slow = || RateLimitPolicy::new(Rate::every(DAY).burst(2)).expect("in range");
    let policy = slow();
    assert_eq!(drain(&policy, Duration::ZERO), 2);
    assert_eq!(retry(policy.check(Duration::ZERO)), Some(day));
    assert_eq!(
        drain(&policy, end - day),
        1,
        "a second would end past the end"
    );
    assert_eq!(drain(&policy, Duration::MAX), 0);
    assert!(retry(policy.check(Duration::ZERO)) > Some(end / 2));
    let policy = slow().wait_at_most(Duration::MAX);
    assert!(policy.reserve(end, 1).is_err());
    policy
        .change(Duration::MAX, Rate::every(DAY))
        .expect("in range");
}

#[test]
fn the_fastest_and_the_slowest_rate_hold() {
    let fast = RateLimitPolicy::new(Rate::per_second(1_000_000_000).burst(1)).expect("in range");
    assert_eq!(drain(&fast, START), 1);
    assert_eq!(drain(&fast, START + Duration::from_nanos(1)), 1);
    let slow = RateLimitPolicy::new(Rate::new(1, DAY)).expect("in range");
    assert_eq!(drain(&slow, START), 1);
    assert_eq!(drain(&slow, START + DAY - Duration::from_secs(1)), 0);
    assert_eq!(
        drain(&slow, START + DAY + ms(10)),
        1,
        "rounded up by some parts in a billion"
    );
}

#[test]
fn reservations_are_served_in_turn() {
    let policy = policy(1).wait_at_most(ms(30));
    let reserve = || policy.reserve(START, 1);
    let turns = [reserve(), reserve(), reserve(), reserve()].map(|turn| turn.expect("in time"));
    assert_eq!(
        turns.each_ref().map(|turn| turn.wait()),
        [0, 10, 20, 30].map(ms)
    );
    assert_eq!(reserve().unwrap_err().retry_after(), Some(ms(40)));
    turns.into_iter().for_each(|turn| turn.used());
    assert_eq!(retry(policy.check(START)), Some(ms(40)), "all were used");
}

#[test]
fn the_last_reservation_goes_back_and_those_before_it_are_lost() {
    let policy = policy(1).wait_at_most(ms(50));
    let reserve = || policy.reserve(START, 1).expect("in time");
    let [first, second, third] = [reserve(), reserve(), reserve()];
    drop(third);
    assert_eq!(
        reserve().wait(),
        ms(20),
        "the third's turn, given back at once"
    );
    let third = reserve();
    drop(second);
    assert_eq!(reserve().wait(), ms(30), "the third keeps its time");
    drop(third);
    assert_eq!(reserve().wait(), ms(20));
    first.used();
}

#[test]
fn a_change_keeps_the_time_until_the_bucket_is_full() {
    let policy = policy(10);
    assert_eq!(policy.check_n(START, 6), Ok(()));
    policy
        .change(START, Rate::per_second(50).burst(10))
        .expect("in range");
    assert_eq!(policy.rate(), Rate::per_second(50).burst(10));
    assert_eq!(
        policy.available(START),
        7,
        "60 ms are three of these tokens"
    );
}

#[test]
fn a_change_from_slow_to_fast_leaves_no_long_debt() {
    let policy = RateLimitPolicy::new(Rate::every(DAY).burst(5)).expect("in range");
    assert_eq!(drain(&policy, START), 5);
    policy
        .change(START, Rate::per_second(100).burst(2))
        .expect("in range");
    assert_eq!(
        retry(policy.check(START)),
        Some(ms(10)),
        "an empty bucket at the new rate"
    );
    assert_eq!(drain(&policy, at(10)), 1);
    assert_eq!(drain(&policy, at(1000)), 2);
}

#[test]
fn a_change_that_is_out_of_range_changes_nothing() {
    let policy = policy(2);
    let invalid = policy
        .change(START, Rate::per_second(5).burst(0))
        .unwrap_err();
    assert_eq!(invalid.field(), "RateLimit.burst");
    assert!(policy.change(START, Rate::per_second(0)).is_err());
    assert_eq!(policy.rate(), Rate::per_second(100).burst(2));
    assert_eq!(drain(&policy, START), 2);
}
