//! Models of waiting. No wake-up is lost by the parker, by a cancel token or by a waiting dispatch.
#![cfg(arcbus_loom)]

use std::sync::Arc;
use std::task::Waker;

use arcbus::__model::Parking;
use arcbus::{CancelToken, Context, Error, Handler, Phase, QueryBus};
use arcbus_loom::{First, Payload, Seen, block_on, explore, weakened};
use loom::sync::atomic::{AtomicBool, Ordering};
use loom::sync::{Condvar, Mutex};
use loom::thread;

#[test]
fn a_parked_thread_is_woken() {
    static BEFORE: Seen = Seen::new();
    static DURING: Seen = Seen::new();
    let states = [("before it parked", &BEFORE), ("afterwards", &DURING)];
    explore("parker", 3, states, || {
        let parking = Parking::new();
        let (waker, payload) = (parking.waker(), Arc::new(Payload::new(0)));
        let (woken, written) = (Arc::new(AtomicBool::new(false)), Arc::clone(&payload));
        let wakes = Arc::clone(&woken);
        let other = thread::spawn(move || {
            written.set(1);
            waker.wake();
            wakes.store(true, Ordering::Relaxed);
        });
        let before = woken.load(Ordering::Relaxed);
        BEFORE.count(before);
        DURING.count(!before);
        parking.park();
        assert_eq!(payload.get(), 1);
        other.join().unwrap();
    });
}

/// The mistake: a wake-up is notified, but not recorded.
#[test]
#[should_panic(expected = "deadlock")]
fn a_wake_up_that_is_not_noted_is_lost() {
    explore("parker without a note", 3, [], || {
        let place = Arc::new((Mutex::new(()), Condvar::new()));
        let other = Arc::clone(&place);
        let other = thread::spawn(move || other.1.notify_one());
        let guard = place.0.lock().unwrap();
        drop(place.1.wait(guard).unwrap());
        other.join().unwrap();
    });
}

/// Cancels a token while another thread runs `waiter`.
fn cancel_during(waiter: impl FnOnce(&CancelToken, &Payload) + 'static) {
    let (token, payload) = (CancelToken::new(), Arc::new(Payload::new(0)));
    let (waited, read) = (token.clone(), Arc::clone(&payload));
    let waiter = thread::spawn(move || waiter(&waited, &read));
    payload.set(1);
    token.cancel();
    waiter.join().unwrap();
    assert!(token.is_cancelled(), "forgot");
}

/// Checks that a thread that sees the flag sees everything the canceller did before.
fn check(yes: &'static Seen, no: &'static Seen) {
    cancel_during(|token, payload| {
        let cancelled = token.is_cancelled();
        yes.count(cancelled);
        no.count(!cancelled);
        if cancelled {
            assert_eq!(payload.get(), 1);
        }
    });
}

#[test]
fn a_check_sees_what_the_canceller_did() {
    static YES: Seen = Seen::new();
    static NO: Seen = Seen::new();
    let states = [("cancelled", &YES), ("not yet", &NO)];
    explore("cancel, check", 3, states, || check(&YES, &NO));
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent read and write")]
fn a_check_does_not_see_it_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| check(&ANY, &ANY));
}

/// Detaches a context while the last owner of one of its tokens cancels and drops that token.
fn hand_on(gone: &'static Seen, held: &'static Seen) {
    let token = CancelToken::new();
    // This token is not the nearest one, which is kept in any case.
    let cx = Context::new().cancel_on(token.clone());
    let cx = cx.cancel_on(CancelToken::new());
    let canceller = thread::spawn(move || {
        token.cancel();
        drop(token);
    });
    let detached = cx.detach();
    let known = detached.is_cancelled();
    gone.count(known);
    held.count(!known);
    canceller.join().unwrap();
    assert!(detached.is_cancelled(), "it was left out");
}

#[test]
fn a_token_that_was_cancelled_and_dropped_is_handed_on() {
    static GONE: Seen = Seen::new();
    static HELD: Seen = Seen::new();
    let states = [("cancelled", &GONE), ("not yet", &HELD)];
    explore("cancel, detach", 3, states, || hand_on(&GONE, &HELD));
}

#[test]
#[should_panic(expected = "it was left out")]
fn a_token_that_was_cancelled_and_dropped_is_not_handed_on_when_weakened() {
    static ANY: Seen = Seen::new();
    weakened(|| hand_on(&ANY, &ANY));
}

#[test]
fn a_thread_that_waits_for_a_token_is_woken() {
    static BEFORE: Seen = Seen::new();
    static AFTER: Seen = Seen::new();
    let states = [("came before", &BEFORE), ("came after", &AFTER)];
    explore("cancel, wait", 3, states, || {
        cancel_during(|token, payload| {
            let cancelled = token.is_cancelled();
            AFTER.count(cancelled);
            BEFORE.count(!cancelled);
            token.wait();
            assert_eq!(payload.get(), 1);
        });
    });
}

#[test]
fn a_future_that_waits_for_a_token_is_woken() {
    static AT_ONCE: Seen = Seen::new();
    static PENDING: Seen = Seen::new();
    let states = [("at once", &AT_ONCE), ("pending", &PENDING)];
    explore("cancel, future", 3, states, || {
        cancel_during(|token, payload| {
            let pending = block_on(token.cancelled());
            AT_ONCE.count(pending == 0);
            PENDING.count(pending > 0);
            assert_eq!(payload.get(), 1);
        });
    });
}

/// The mistake: the waiter does not check the flag again under the lock.
#[test]
#[should_panic(expected = "deadlock")]
fn who_registers_without_looking_again_is_not_woken() {
    explore("cancel, careless", 3, [], || {
        let flag = Arc::new(AtomicBool::new(false));
        let waiter = Arc::new(Mutex::new(None::<Waker>));
        let (raised, waiters) = (Arc::clone(&flag), Arc::clone(&waiter));
        let canceller = thread::spawn(move || {
            raised.store(true, Ordering::Release);
            let waiter = waiters.lock().unwrap().take();
            waiter.into_iter().for_each(Waker::wake);
        });
        let parking = Parking::new();
        if !flag.load(Ordering::Acquire) {
            *waiter.lock().unwrap() = Some(parking.waker());
            parking.park();
        }
        canceller.join().unwrap();
    });
}

/// A handler that never completes.
struct Never;

impl Handler<First> for Never {
    async fn handle(&self, _: First, _: &Context<'_>) -> Result<usize, String> {
        std::future::pending().await
    }
}

fn never() -> QueryBus {
    QueryBus::builder()
        .register::<First, _>(Never)
        .build()
        .unwrap()
}

#[test]
fn a_dispatch_that_waits_is_cancelled() {
    static NOT_STARTED: Seen = Seen::new();
    static INTERRUPTED: Seen = Seen::new();
    let states = [
        ("not started", &NOT_STARTED),
        ("while it waited", &INTERRUPTED),
    ];
    explore("cancel, dispatch", 3, states, || {
        let bus = never();
        cancel_during(move |token, payload| {
            let cx = Context::new().cancel_on(token.clone());
            let error = bus.execute_blocking_with(First, cx).unwrap_err();
            let Error::Cancelled { phase } = error else {
                panic!("{error:?}");
            };
            NOT_STARTED.count(phase == Phase::NotStarted);
            INTERRUPTED.count(phase == Phase::Indeterminate);
            assert_eq!(payload.get(), 1);
        });
    });
}

/// `loom` finds the deadlock when the other thread ends, with nothing left to drop.
#[test]
#[should_panic(expected = "deadlock")]
fn a_dispatch_whose_token_nobody_cancels_waits() {
    explore("cancel, nobody", 3, [], || {
        let token = CancelToken::new();
        let other = token.clone();
        let other = thread::spawn(move || drop(other));
        let cx = Context::new().cancel_on(token);
        assert!(never().execute_blocking_with(First, cx).is_err());
        other.join().unwrap();
    });
}
