//! Tests of the policy without a bus, with explicit time.

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

/// Returns a policy with one token in 10 ms.
fn policy(burst: u32) -> RateLimitPolicy {
    RateLimitPolicy::new(Rate::per_second(100).burst(burst)).expect("in range")
}

fn retry(refused: Result<(), Refused>) -> Option<Duration> {
    refused.expect_err("nothing left").retry_after()
}

/// Returns the number of messages that pass one by one at `now`.
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
    // The expected interval is a day, rounded up.
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
    assert_eq!(retry(policy.check(Duration::ZERO)), Some(day), "set back");
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
fn those_behind_a_reservation_that_is_left_move_up() {
    let policy = policy(1).wait_at_most(ms(50));
    let reserve = || policy.reserve(START, 1).expect("in time");
    let [first, second, third] = [reserve(), reserve(), reserve()];
    drop(third);
    assert_eq!(
        reserve().wait(),
        ms(20),
        "the third's turn, given back at once"
    );
    let [third, fourth] = [reserve(), reserve()];
    drop(second);
    assert_eq!([third.wait(), fourth.wait()], [10, 20].map(ms));
    assert_eq!(reserve().wait(), ms(30), "behind the fourth");
    third.used();
    assert_eq!(fourth.wait(), ms(20), "what is used is not given back");
    drop(fourth);
    assert_eq!(reserve().wait(), ms(20));
    first.used();
}

#[test]
fn all_but_the_last_may_leave_in_any_order() {
    for order in [[0, 1, 2, 3], [3, 2, 1, 0], [2, 0, 3, 1], [1, 3, 0, 2]] {
        let policy = policy(1).wait_at_most(ms(1000));
        assert!(policy.check(START).is_ok());
        let mut turns = Vec::from_iter((0..5).map(|_| policy.reserve(START, 1).ok()));
        for (left, number) in order.into_iter().enumerate() {
            turns[number] = None;
            let waits = turns.iter().flatten().map(|turn| turn.wait());
            let expected = (1..=4 - left as u64).map(|nth| ms(10 * nth));
            assert_eq!(Vec::from_iter(waits), Vec::from_iter(expected));
        }
        let next = policy.reserve(START, 1).expect("in time");
        assert_eq!(next.wait(), ms(20), "behind the one that is left");
    }
}

#[test]
fn one_that_was_served_keeps_its_turn_whoever_leaves() {
    let policy = policy(1).wait_at_most(ms(1000));
    assert!(policy.check(START).is_ok());
    let reserve = || policy.reserve(START, 1).expect("in time");
    let [first, second] = [reserve(), reserve()];
    second.used();
    drop(first);
    assert_eq!(reserve().wait(), ms(30), "not the turn of the second");
}

#[test]
fn a_turn_that_was_not_used_in_time_is_not_used_twice() {
    let policy = policy(1).wait_at_most(ms(1000));
    assert!(policy.check(START).is_ok());
    let reserve = || policy.reserve(START, 1).expect("in time");
    let [first, second, third] = [reserve(), reserve(), reserve()];
    // The turn of the first reservation was at 10.
    first.give_back(at(14));
    assert_eq!([second.wait(), third.wait()], [14, 24].map(ms));
}

#[test]
fn what_is_given_back_is_what_has_not_come_in_again() {
    let policy = policy(3);
    let reserve = |now| policy.reserve(now, 1).expect("there is one");
    let first = reserve(START);
    reserve(START).used();
    first.give_back(at(4));
    assert_eq!(policy.available(at(4)), 2, "it was taken and given back");
    let first = reserve(at(1000));
    reserve(at(1005)).used();
    first.give_back(at(1010));
    assert_eq!(policy.available(at(1010)), 2, "it had come in already");
}

/// Returns the milliseconds until a message passes, in steps of a millisecond.
fn refused_for(now: u64, check: impl Fn(Duration) -> bool) -> Option<u64> {
    (0..10_000).find(|passed| check(ms(now + passed)))
}

#[test]
fn a_clock_that_is_set_back_refuses_for_a_bucket_at_most() {
    for (burst, back) in [
        (1, 1),
        (1, 5),
        (1, 59_000),
        (3, 25),
        (3, 100),
        (100, 59_000),
    ] {
        let policy = policy(burst);
        assert_eq!(drain(&policy, START), burst as usize);
        let now = 60_000 - back;
        assert!(retry(policy.check(ms(now))) <= Some(ms(10 * u64::from(burst))));
        let refused = refused_for(now, |now| policy.check(now).is_ok());
        assert!(refused <= Some(10 * u64::from(burst)), "{refused:?}");
        // From that time on, the limit works as usual.
        let now = ms(now + refused.expect("it passes"));
        assert_eq!(drain(&policy, now + ms(1000)), burst as usize);
    }
}

#[test]
fn reservations_survive_a_clock_that_is_set_back() {
    let policy = policy(1).wait_at_most(ms(50));
    let reserve = |now| policy.reserve(now, 1);
    let turns = [START; 6].map(|now| reserve(now).expect("in time"));
    assert!(reserve(START).is_err());
    let early = ms(10);
    assert_eq!(reserve(early).unwrap_err().retry_after(), Some(ms(60)));
    assert!(reserve(early + ms(10)).is_ok());
    drop(turns);
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
