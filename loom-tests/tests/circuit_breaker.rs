//! Models of the circuit breaker. No probe is lost and none is one too many, and no call is counted in a
//! later epoch. Two threads never both overlook a failure, and old and new limits are never mixed.
//!
//! All models have a bound, because every step of the breaker loads the word before changing it
//! (`explore_bounded` says why).
#![cfg(arcbus_loom)]

use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use arcbus::Verdict::{self, Failure, Success};
use arcbus::middleware::circuit_breaker::{CircuitBreaker, CircuitBreakerPolicy, State};
use arcbus_loom::{Seen, explore_bounded, weakened};
use loom::thread::{self, JoinHandle};

type Breaker = Arc<CircuitBreakerPolicy>;

const MS: Duration = Duration::from_millis(1);
const OPEN: Duration = Duration::from_millis(100);

fn made(breaker: CircuitBreaker) -> Breaker {
    Arc::new(breaker.open_for(OPEN).policy().unwrap())
}

/// Makes a call that takes no time. Returns whether the breaker let the call through.
fn call(breaker: &CircuitBreakerPolicy, now: Duration, verdict: Verdict) -> bool {
    let admission = breaker.try_admit(now);
    admission
        .map(|admission| admission.complete(verdict, now))
        .is_ok()
}

fn spawn(breaker: &Breaker, run: impl FnOnce(&CircuitBreakerPolicy) + 'static) -> JoinHandle<()> {
    let breaker = Arc::clone(breaker);
    thread::spawn(move || run(&breaker))
}

/// Returns an open breaker whose open time is over.
fn waiting(breaker: CircuitBreaker) -> Breaker {
    let breaker = made(breaker);
    call(&breaker, Duration::ZERO, Failure);
    assert_eq!(breaker.state(), State::Open);
    breaker
}

/// A point where `loom` may switch between two threads, which orders no other access. The breaker itself is
/// no such point: a thread reads the word before changing it, and so hides an earlier reader from `loom`.
#[derive(Clone, Default)]
struct Meeting(Arc<loom::sync::atomic::AtomicUsize>);

impl Meeting {
    fn step(&self) {
        self.0.fetch_add(1, loom::sync::atomic::Ordering::Relaxed);
    }
}

fn admission(through: &Seen, refused: &Seen, late: &Seen) {
    let breaker = made(CircuitBreaker::consecutive(1));
    let (meeting, met) = (Meeting::default(), Meeting::default());
    let (theirs, after) = (meeting.clone(), met.clone());
    let other = spawn(&breaker, move |breaker| {
        theirs.step();
        call(breaker, 2 * OPEN, Failure);
        theirs.step();
        after.step();
    });
    meeting.step();
    match breaker.try_admit(2 * OPEN) {
        Ok(admission) => {
            assert!(!admission.is_probe(), "it opened just now");
            met.step();
            late.count(breaker.state() == State::Open);
            through.count(true);
            admission.complete(Success, 2 * OPEN);
        }
        Err(refusal) => {
            refused.count(true);
            assert_eq!(refusal.retry_after(), OPEN);
        }
    }
    other.join().unwrap();
    assert_eq!(breaker.state(), State::Open, "a late success closed it");
}

#[test]
fn a_call_is_let_through_before_it_opens_or_refused_after() {
    static THROUGH: Seen = Seen::new();
    static REFUSED: Seen = Seen::new();
    static LATE: Seen = Seen::new();
    let states = [
        ("let through", &THROUGH),
        ("refused", &REFUSED),
        ("late", &LATE),
    ];
    explore_bounded("breaker, admission", 3, states, || {
        admission(&THROUGH, &REFUSED, &LATE)
    });
}

#[test]
#[should_panic(expected = "it opened just now")]
fn fails_to_know_when_it_opened_when_weakened() {
    weakened(|| admission(&Seen::new(), &Seen::new(), &Seen::new()));
}

/// The clock of the caller was set back to before the breaker opened. Counted from the caller's time, the
/// breaker stays open for the configured duration and no longer.
#[test]
fn a_caller_whose_clock_was_set_back_finds_the_moment_of_opening() {
    static THROUGH: Seen = Seen::new();
    static REFUSED: Seen = Seen::new();
    let states = [("let through", &THROUGH), ("refused", &REFUSED)];
    explore_bounded("breaker, set back", 3, states, || {
        let breaker = made(CircuitBreaker::consecutive(1));
        let meeting = Meeting::default();
        let theirs = meeting.clone();
        let other = spawn(&breaker, move |breaker| {
            theirs.step();
            call(breaker, 2 * OPEN, Failure);
            theirs.step();
        });
        meeting.step();
        match breaker.try_admit(OPEN) {
            Ok(admission) => {
                THROUGH.count(true);
                admission.complete(Success, OPEN);
            }
            Err(refusal) => {
                REFUSED.count(true);
                assert_eq!(refusal.retry_after(), OPEN, "it is of another time");
            }
        }
        other.join().unwrap();
    });
}

/// Takes a probe if one is free, then reports success or drops the probe.
fn probe(breaker: &CircuitBreakerPolicy, out: &AtomicUsize, ends: bool) -> bool {
    let Ok(admission) = breaker.try_admit(OPEN) else {
        return false;
    };
    if admission.is_probe() {
        assert!(out.fetch_add(1, Relaxed) < 1, "one too many");
        // Other threads run here, while the probe is out.
        thread::yield_now();
        out.fetch_sub(1, Relaxed);
    }
    if ends {
        admission.complete(Success, OPEN);
    }
    true
}

#[test]
fn no_probe_goes_out_twice_and_none_is_lost() {
    static BOTH: Seen = Seen::new();
    static ONE: Seen = Seen::new();
    static CLOSED: Seen = Seen::new();
    let states = [
        ("both went", &BOTH),
        ("one was refused", &ONE),
        ("closed", &CLOSED),
    ];
    explore_bounded("breaker, probes", 3, states, || {
        let breaker = waiting(CircuitBreaker::consecutive(1).half_open_probes(1));
        let out = Arc::new(AtomicUsize::new(0));
        let (theirs, went) = (Arc::clone(&out), Arc::new(AtomicUsize::new(0)));
        let gone = Arc::clone(&went);
        let other = spawn(&breaker, move |breaker| {
            gone.store(probe(breaker, &theirs, false).into(), Relaxed);
        });
        let ours = probe(&breaker, &out, true);
        other.join().unwrap();
        let both = ours && went.load(Relaxed) == 1;
        BOTH.count(both);
        ONE.count(!both);
        CLOSED.count(breaker.state() == State::Closed);
        assert_eq!(breaker.state() == State::Closed, ours);
        assert!(call(&breaker, OPEN, Success), "a probe was lost");
        assert_eq!(breaker.state(), State::Closed);
    });
}

#[test]
fn a_probe_that_hangs_opens_it_or_closes_it_but_not_both() {
    static OPENED: Seen = Seen::new();
    static CLOSED: Seen = Seen::new();
    let states = [("opened again", &OPENED), ("closed", &CLOSED)];
    explore_bounded("breaker, a probe that hangs", 3, states, || {
        let breaker = CircuitBreaker::consecutive(1).half_open_probes(1);
        let breaker = waiting(breaker.half_open_for(MS));
        let shared = Arc::clone(&breaker);
        let hangs = shared.try_admit(OPEN).unwrap();
        let other = spawn(&breaker, |breaker| {
            let is_refused = !call(breaker, OPEN + MS, Success);
            OPENED.count(is_refused);
            let state = breaker.state();
            assert_eq!(state == State::Open, is_refused, "a late probe closed it");
        });
        hangs.complete(Success, OPEN + MS);
        CLOSED.count(breaker.state() == State::Closed);
        other.join().unwrap();
        assert_eq!(breaker.reading().calls(), 0, "a late probe was counted");
    });
}

/// The second caller comes when the time of the probes is over, just as the first caller gives its probe
/// back. If that probe is still out, the breaker opens. Otherwise the breaker waits for probes again, from
/// that moment.
#[test]
fn a_hasty_probe_is_given_back_and_its_wait_begins_anew() {
    static OPENED: Seen = Seen::new();
    static REFUSED: Seen = Seen::new();
    static PROBE: Seen = Seen::new();
    let states = [
        ("opened again", &OPENED),
        ("refused", &REFUSED),
        ("a probe", &PROBE),
    ];
    explore_bounded("breaker, a hasty probe", 3, states, || {
        let breaker = CircuitBreaker::consecutive(1).half_open_probes(1);
        let breaker = waiting(breaker.half_open_for(2 * MS));
        let shared = Arc::clone(&breaker);
        let first = shared.try_admit(OPEN).unwrap();
        let other = spawn(&breaker, |breaker| {
            let second = breaker.try_admit(OPEN + 2 * MS);
            let is_open = breaker.state() == State::Open;
            OPENED.count(second.is_err() && is_open);
            REFUSED.count(second.is_err() && !is_open);
            PROBE.count(second.is_ok());
            if let Ok(second) = second {
                assert!(!is_open, "haste opened it");
                second.abandon(OPEN + 2 * MS);
            }
        });
        first.abandon(OPEN + 2 * MS);
        other.join().unwrap();
        let is_open = breaker.state() == State::Open;
        assert_eq!(breaker.reading().calls(), 0, "a hasty probe was counted");
        let served = call(&breaker, OPEN + 3 * MS, Success);
        assert_eq!(served, !is_open, "a probe was lost");
    });
}

fn windows() -> [CircuitBreaker; 3] {
    [
        CircuitBreaker::consecutive(2),
        CircuitBreaker::count_window(2).failure_rate(1.0),
        CircuitBreaker::time_window(10 * MS)
            .failure_rate(1.0)
            .minimum_calls(2),
    ]
}

/// Counts a failure in each of two threads. In a time window the failures fall into different buckets.
fn two_failures(breaker: CircuitBreaker, together: &Seen) {
    let breaker = made(breaker);
    let other = spawn(&breaker, |breaker| {
        call(breaker, 21 * MS, Failure);
    });
    together.count(breaker.reading().failures() == 1);
    let is_through = call(&breaker, 26 * MS, Failure);
    other.join().unwrap();
    assert!(is_through);
    assert_eq!(breaker.state(), State::Open, "both overlooked the other");
}

#[test]
fn two_failures_are_not_overlooked_in_a_row() {
    static TOGETHER: Seen = Seen::new();
    let states = [("the other came first", &TOGETHER)];
    explore_bounded("breaker, two failures in a row", 3, states, || {
        let [breaker, ..] = windows();
        two_failures(breaker, &TOGETHER);
    });
}

#[test]
fn two_failures_are_not_overlooked_in_a_count_window() {
    static TOGETHER: Seen = Seen::new();
    let states = [("the other came first", &TOGETHER)];
    explore_bounded("breaker, two failures counted", 2, states, || {
        let [_, breaker, _] = windows();
        two_failures(breaker, &TOGETHER);
    });
}

#[test]
fn two_failures_are_not_overlooked_in_a_time_window() {
    static TOGETHER: Seen = Seen::new();
    let states = [("the other came first", &TOGETHER)];
    explore_bounded("breaker, two failures in time", 2, states, || {
        let [_, _, breaker] = windows();
        two_failures(breaker, &TOGETHER);
    });
}

#[test]
#[should_panic(expected = "both overlooked the other")]
fn fails_to_see_two_failures_counted_when_weakened() {
    weakened(|| {
        let [_, breaker, _] = windows();
        two_failures(breaker, &Seen::new());
    });
}

#[test]
#[should_panic(expected = "both overlooked the other")]
fn fails_to_see_two_failures_in_time_when_weakened() {
    weakened(|| {
        let [_, _, breaker] = windows();
        two_failures(breaker, &Seen::new());
    });
}

#[test]
fn a_failure_in_a_window_of_one_is_not_overlooked() {
    static LAST: Seen = Seen::new();
    static BEFORE: Seen = Seen::new();
    let states = [("refused", &LAST), ("let through", &BEFORE)];
    explore_bounded("breaker, a window of one", 3, states, || {
        let breaker = made(CircuitBreaker::count_window(1));
        let other = spawn(&breaker, |breaker| {
            call(breaker, MS, Failure);
        });
        let is_through = call(&breaker, MS, Success);
        LAST.count(!is_through);
        BEFORE.count(is_through);
        other.join().unwrap();
        assert_eq!(breaker.state(), State::Open);
    });
}

/// Reports a failure while another thread resets the breaker and reports a success.
fn late_failure(breaker: CircuitBreaker, before: &'static Seen, after: &'static Seen) {
    let breaker = made(breaker);
    let shared = Arc::clone(&breaker);
    let late = shared.try_admit(21 * MS).unwrap();
    let other = spawn(&breaker, |breaker| {
        let has_opened = breaker.state() == State::Open;
        before.count(has_opened);
        after.count(!has_opened);
        breaker.reset();
        let is_through = call(breaker, 21 * MS, Success);
        assert!(is_through, "a late failure opened it");
    });
    late.complete(Failure, 21 * MS);
    other.join().unwrap();
    let reading = breaker.reading();
    assert_eq!(reading.state(), State::Closed);
    assert_eq!(reading.failures(), 0, "a late failure was counted");
}

#[test]
fn a_late_failure_in_a_row_is_not_counted() {
    static BEFORE: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("it had opened", &BEFORE), ("it had not", &AFTER)];
    explore_bounded("breaker, late in a row", 3, states, || {
        late_failure(CircuitBreaker::consecutive(1), &BEFORE, &AFTER);
    });
}

#[test]
fn a_late_failure_is_not_counted_in_a_count_window() {
    static BEFORE: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("it had opened", &BEFORE), ("it had not", &AFTER)];
    explore_bounded("breaker, late in a count window", 3, states, || {
        let breaker = CircuitBreaker::count_window(2).minimum_calls(1);
        late_failure(breaker, &BEFORE, &AFTER);
    });
}

#[test]
fn a_late_failure_is_not_counted_in_a_time_window() {
    static BEFORE: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("it had opened", &BEFORE), ("it had not", &AFTER)];
    explore_bounded("breaker, late in a time window", 3, states, || {
        let breaker = CircuitBreaker::time_window(10 * MS).minimum_calls(1);
        late_failure(breaker, &BEFORE, &AFTER);
    });
}

/// Counts a failure on one thread while another thread goes round the ring. The first thread must leave
/// reused slots alone.
fn overtaken(breaker: CircuitBreaker, step: Duration, calls: u32, overtaken: &Seen) {
    let breaker = made(breaker);
    breaker.force_closed();
    let ended = Arc::new(AtomicUsize::new(0));
    let ends = Arc::clone(&ended);
    let other = spawn(&breaker, move |breaker| {
        for nth in 1..=calls {
            call(breaker, 20 * MS + step * nth, Failure);
        }
        ends.store(1, Relaxed);
    });
    let before = ended.load(Relaxed);
    call(&breaker, 20 * MS, Failure);
    overtaken.count(before < ended.load(Relaxed));
    other.join().unwrap();
    let reading = breaker.reading();
    let counts = (reading.calls(), reading.failures());
    assert_eq!(counts, (1, 1), "a newer failure was lost");
}

#[test]
fn who_is_overtaken_by_a_time_window_leaves_it_alone() {
    static OVERTAKEN: Seen = Seen::new();
    let states = [("overtaken", &OVERTAKEN)];
    explore_bounded("breaker, overtaken in time", 3, states, || {
        let breaker = CircuitBreaker::time_window(10 * MS);
        overtaken(breaker, 10 * MS, 1, &OVERTAKEN);
    });
}

#[test]
fn who_is_overtaken_by_a_count_window_leaves_it_alone() {
    static OVERTAKEN: Seen = Seen::new();
    let states = [("overtaken", &OVERTAKEN)];
    explore_bounded("breaker, overtaken by calls", 2, states, || {
        overtaken(CircuitBreaker::count_window(1), MS, 4, &OVERTAKEN);
    });
}

/// Reports a failure when half of all calls have failed. Neither the old limits nor the new limits allow the
/// breaker to open then.
fn new_limits(old: &Seen, new: &Seen) {
    let breaker = made(
        CircuitBreaker::count_window(100)
            .minimum_calls(1)
            .failure_rate(1.0),
    );
    call(&breaker, MS, Success);
    let mut limits = breaker.limits();
    (limits.failure_rate, limits.minimum_calls) = (0.1, 100);
    let meeting = Meeting::default();
    let theirs = meeting.clone();
    let other = spawn(&breaker, move |breaker| {
        theirs.step();
        breaker.set_limits(limits).unwrap();
        theirs.step();
    });
    meeting.step();
    let is_new = breaker.limits().minimum_calls == 100;
    new.count(is_new);
    old.count(!is_new);
    call(&breaker, MS, Failure);
    assert_eq!(breaker.state(), State::Closed, "limits were mixed");
    other.join().unwrap();
}

#[test]
fn limits_change_together() {
    static OLD: Seen = Seen::new();
    static NEW: Seen = Seen::new();
    explore_bounded("breaker, limits", 3, [("old", &OLD), ("new", &NEW)], || {
        new_limits(&OLD, &NEW);
    });
}

#[test]
#[should_panic(expected = "limits were mixed")]
fn limits_are_mixed_when_weakened() {
    weakened(|| new_limits(&Seen::new(), &Seen::new()));
}

#[test]
fn a_slow_call_goes_with_the_rate_of_its_time() {
    static SLOW: Seen = Seen::new();
    static FAST: Seen = Seen::new();
    explore_bounded(
        "breaker, slow",
        3,
        [("slow", &SLOW), ("not", &FAST)],
        || {
            let breaker = CircuitBreaker::count_window(100).minimum_calls(1);
            let breaker = made(breaker.slow_calls(MS, 1.0));
            call(&breaker, MS, Success);
            let other = spawn(&breaker, |breaker| {
                let mut limits = breaker.limits();
                limits.slow_calls = Some((5 * MS, 0.1));
                breaker.set_limits(limits).unwrap();
            });
            let admission = breaker.try_admit(MS).unwrap();
            admission.complete(Success, 3 * MS);
            assert_eq!(breaker.state(), State::Closed, "limits were mixed");
            let is_slow = breaker.reading().slow() == 1;
            SLOW.count(is_slow);
            FAST.count(!is_slow);
            other.join().unwrap();
        },
    );
}
