//! Models of the measured delay of a hedge. One thread ends a window and finds all its samples. Each sample
//! is in exactly one window, and the next thread sees everything the one before wrote.
#![cfg(arcbus_loom)]

use std::time::Duration;

use arcbus::middleware::Hedge;
use arcbus::middleware::hedge::HedgePolicy;
use arcbus_loom::{Seen, explore, weakened};
use loom::thread;

/// Leaks the policy, so that threads can share it.
fn policy(samples: u32) -> &'static HedgePolicy {
    let hedge = Hedge::quantile(0.5).samples(samples);
    Box::leak(Box::new(hedge.policy().unwrap()))
}

/// The samples of the models, in the only two buckets: this one in the first, and `LONG` in the last.
const SHORT: Duration = Duration::ZERO;
const LONG: Duration = Duration::from_secs(1);

/// Runs two threads with a sample each. The second to be counted ends the window.
fn one_window(other_ends: &'static Seen, this_ends: &'static Seen) {
    let policy = policy(2);
    let other = thread::spawn(move || {
        policy.answered(LONG);
        other_ends.count(policy.samples() == 2);
    });
    policy.answered(SHORT);
    this_ends.count(policy.samples() == 2);
    other.join().unwrap();
    assert_eq!((policy.samples(), policy.delay()), (2, Some(SHORT)));
}

#[test]
fn who_ends_a_window_has_all_its_samples() {
    static OTHER: Seen = Seen::new();
    static THIS: Seen = Seen::new();
    let states = [("ended there", &OTHER), ("ended here", &THIS)];
    explore("hedge, one window", 3, states, || one_window(&OTHER, &THIS));
}

#[test]
#[should_panic(expected = "assertion `left == right` failed")]
fn who_ends_a_window_lacks_samples_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| one_window(&ANY, &ANY));
}

/// Counts of the ways in which two concurrent samples, and a third after them, fall into windows of one
/// sample.
struct Ways {
    /// Each sample had its own window, and the third sample made the policy forget the first.
    in_turn: Seen,
    /// Both samples were in one window, because the other thread came too late to end its own.
    together: Seen,
    /// Both samples were in one window, and the other thread then ended an empty window, its sample already
    /// taken.
    empty: Seen,
    /// The other sample was left for the window of the third.
    left: Seen,
}

impl Ways {
    const fn new() -> Self {
        Self {
            in_turn: Seen::new(),
            together: Seen::new(),
            empty: Seen::new(),
            left: Seen::new(),
        }
    }
}

fn two_windows(ways: &'static Ways) {
    let policy = policy(1);
    let other = thread::spawn(move || policy.answered(SHORT));
    policy.answered(SHORT);
    other.join().unwrap();
    let both = policy.samples();
    policy.answered(SHORT);
    let all = policy.samples();
    match (both, all) {
        (2, 2) => ways.in_turn.count(true),
        (2, 3) => ways.together.count(true),
        (2, 1) => ways.empty.count(true),
        (1, 3) => ways.left.count(true),
        _ => panic!("lost or counted twice: {both}, {all}"),
    }
}

#[test]
fn a_sample_is_in_one_window_and_none_is_lost() {
    static WAYS: Ways = Ways::new();
    let states = [
        ("in turn", &WAYS.in_turn),
        ("together", &WAYS.together),
        ("together, and one empty", &WAYS.empty),
        ("left for the next", &WAYS.left),
    ];
    explore("hedge, two windows", 3, states, || two_windows(&WAYS));
}

#[test]
#[should_panic(expected = "lost or counted twice")]
fn a_sample_is_lost_when_weakened() {
    static ANY: Ways = Ways::new();
    weakened(|| two_windows(&ANY));
}

/// A thread reads the delay while another thread adds a sample and ends the window.
#[test]
fn a_delay_is_none_or_one_that_was_measured() {
    static NONE: Seen = Seen::new();
    static SOME: Seen = Seen::new();
    let states = [("not yet", &NONE), ("measured", &SOME)];
    explore("hedge, delay", 3, states, || {
        let policy = policy(1);
        let other = thread::spawn(move || policy.answered(SHORT));
        let delay = policy.delay();
        NONE.count(delay.is_none());
        SOME.count(delay == Some(SHORT));
        assert!(delay.is_none_or(|delay| delay == SHORT));
        other.join().unwrap();
        assert_eq!(policy.delay(), Some(SHORT));
    });
}
