//! Models of the retry budget. No repeat is taken twice, and no deposit is lost.
#![cfg(arcbus_loom)]

use std::time::Duration;

use arcbus::middleware::Budget;
use arcbus::middleware::retry::{Backoff, RetryPolicy};
use arcbus_loom::{Seen, explore};
use loom::sync::Arc;
use loom::thread;

const NOW: Duration = Duration::from_secs(60);

/// Returns a budget with `repeats` saved, into which each message pays `ratio` of a repeat.
fn saved(ratio: f64, repeats: u32) -> Budget {
    Budget::new(ratio).minimum_per_second(0).burst(repeats)
}

type Act = fn(&Budget) -> bool;

/// Runs the first act on this thread, and each further act on its own thread. Returns their results in the
/// order of `acts`.
fn together(budget: &Budget, acts: &[Act]) -> Vec<bool> {
    let (here, others) = acts.split_first().expect("at least one");
    let others: Vec<_> = others
        .iter()
        .map(|act| {
            let (budget, act) = (budget.clone(), *act);
            thread::spawn(move || act(&budget))
        })
        .collect();
    let mut returned = vec![here(budget)];
    returned.extend(others.into_iter().map(|other| other.join().unwrap()));
    returned
}

fn take(budget: &Budget) -> bool {
    budget.try_take(NOW)
}

fn pay_in(budget: &Budget) -> bool {
    budget.deposit();
    true
}

#[test]
fn two_threads_do_not_take_the_same_repeat() {
    static HERE: Seen = Seen::new();
    static THERE: Seen = Seen::new();
    let states = [("here", &HERE), ("there", &THERE)];
    explore("budget, the last repeat", 3, states, || {
        let budget = saved(1.0, 1);
        let taken = together(&budget, &[take, take]);
        HERE.count(taken[0]);
        THERE.count(taken[1]);
        assert_ne!(taken[0], taken[1], "one of them");
        assert_eq!((budget.available(), budget.exhausted()), (0.0, 1));
    });
}

/// The mistake: a thread looks first, and relies on the result.
#[test]
#[should_panic(expected = "more than there was")]
fn who_looks_before_it_takes_takes_too_much() {
    fn look(budget: &Budget) -> bool {
        let there_is_one = budget.available() >= 1.0;
        if there_is_one {
            take(budget);
        }
        there_is_one
    }
    explore("budget, look first", 3, [], || {
        let taken = together(&saved(1.0, 1), &[look, look]);
        assert!(
            taken.iter().filter(|taken| **taken).count() <= 1,
            "more than there was"
        );
    });
}

#[test]
fn three_threads_take_the_two_that_there_are() {
    static LEFT: [Seen; 3] = [Seen::new(), Seen::new(), Seen::new()];
    let states = [
        ("0 without", &LEFT[0]),
        ("1 without", &LEFT[1]),
        ("2 without", &LEFT[2]),
    ];
    explore("budget, three threads", 2, states, || {
        let budget = saved(1.0, 2);
        let taken = together(&budget, &[take as Act; 3]);
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 2);
        for (left, taken) in LEFT.iter().zip(taken) {
            left.count(!taken);
        }
        assert_eq!((budget.available(), budget.exhausted()), (0.0, 1));
    });
}

#[test]
fn what_two_messages_pay_in_is_not_lost() {
    static TAKEN: Seen = Seen::new();
    static TOO_EARLY: Seen = Seen::new();
    let states = [("taken", &TAKEN), ("too early", &TOO_EARLY)];
    explore("budget, deposits", 2, states, || {
        let budget = saved(0.5, 2);
        assert!(take(&budget) && take(&budget));
        let taken = together(&budget, &[pay_in, take, pay_in])[1];
        TAKEN.count(taken);
        TOO_EARLY.count(!taken);
        let left = if taken { 0.0 } else { 1.0 };
        assert_eq!(budget.available(), left);
    });
}

/// A message does not write to a full budget, and pays into a budget that is no longer full.
#[test]
fn a_message_pays_in_before_a_repeat_is_taken_or_after() {
    static FULL: Seen = Seen::new();
    static MISSING: Seen = Seen::new();
    let states = [("found it full", &FULL), ("paid in", &MISSING)];
    explore("budget, full", 3, states, || {
        let budget = saved(0.5, 1);
        let returned = together(&budget, &[take, pay_in]);
        assert!(returned[0]);
        let available = budget.available();
        FULL.count(available == 0.0);
        MISSING.count(available == 0.5);
        assert!(available == 0.0 || available == 0.5, "{available}");
    });
}

#[test]
fn the_minimum_is_taken_once_where_nothing_is_saved() {
    static SAVED: Seen = Seen::new();
    static MINIMUM: Seen = Seen::new();
    let states = [("of what is saved", &SAVED), ("of the minimum", &MINIMUM)];
    explore("budget, minimum", 2, states, || {
        let budget = saved(1.0, 1).minimum_per_second(1);
        let taken = together(&budget, &[take, take, take]);
        assert_eq!(taken.iter().filter(|taken| **taken).count(), 2);
        SAVED.count(taken[0]);
        MINIMUM.count(!taken[0]);
        assert_eq!(budget.exhausted(), 1);
    });
}

/// A course follows either the old limit of attempts or the new limit, whichever it read when created.
#[test]
fn a_course_keeps_its_attempts_while_they_are_changed() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    let states = [("three", &OLD), ("one", &NEW)];
    explore("retry, attempts", 3, states, || {
        let policy = RetryPolicy::new(3, Backoff::fixed(Duration::ZERO)).unwrap();
        let policy = Arc::new(policy);
        let changes = Arc::clone(&policy);
        let changes = thread::spawn(move || changes.set_attempts(1).unwrap());
        let mut course = policy.first_failed();
        while course.next_at(NOW, None, None).is_some() {
            course.begin();
        }
        OLD.count(course.attempt() == 3);
        NEW.count(course.attempt() == 1);
        assert_ne!(course.attempt(), 2);
        changes.join().unwrap();
        assert_eq!((policy.attempts(), policy.gave_up()), (1, 1));
    });
}
