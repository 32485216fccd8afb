//! Models of retirement. A retired handler is drained exactly when no dispatch runs the handler and no handle
//! pins it any more.
#![cfg(arcbus_loom)]

use std::future::poll_fn;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::task::{Context, Poll, Waker};

use arcbus::{Dispatch, LocalBus, Query, QueryBus, Registrar, Retired, Route};
use arcbus_loom::{DROPPED, First, NoLayers, Reads, Seen, Waits, block_on, explore, weakened};
use loom::sync::Arc;
use loom::thread;

type Changes = Registrar<Query, NoLayers>;

fn open(old: Reads) -> (QueryBus, Changes) {
    QueryBus::builder()
        .register::<First, _>(old)
        .open()
        .unwrap()
}

fn replace(registrar: &Changes) -> Retired {
    registrar.replace::<First, _>(Reads::new(2)).unwrap()
}

fn bus(bus: &QueryBus) -> QueryBus {
    bus.clone()
}

fn local(bus: &QueryBus) -> LocalBus<Query> {
    bus.local()
}

fn route(bus: &QueryBus) -> Route<First> {
    bus.route().unwrap()
}

/// Closes the resource of the old handler once that handler is drained. In the twin `looks` is false, and the
/// resource is closed without a check.
fn running<D: Dispatch<First> + 'static>(
    handle: fn(&QueryBus) -> D,
    looks: bool,
    drained: &Seen,
    not_yet: &Seen,
) {
    let old = Reads::new(1);
    let payload = old.payload();
    let (bus, registrar) = open(old);
    let mut handle = handle(&bus);
    let reader = thread::spawn(move || handle.execute_blocking(First).unwrap());
    let retired = replace(&registrar);
    if !looks || retired.is_drained() {
        drained.count(true);
        // `loom` checks here that everything the handler and its drop did happened before.
        payload.set(DROPPED + 1);
    } else {
        not_yet.count(true);
    }
    reader.join().unwrap();
    assert!(retired.is_drained(), "kept for ever");
}

macro_rules! running {
    ($($handle:ident: $name:ident, $closed:ident;)*) => {$(
        #[test]
        fn $name() {
            static DRAINED: Seen = Seen::new();
            static NOT_YET: Seen = Seen::new();
            let states = [("drained", &DRAINED), ("not yet", &NOT_YET)];
            explore(stringify!($name), 2, states, || {
                running($handle, true, &DRAINED, &NOT_YET);
            });
        }

        #[test]
        #[should_panic(expected = "Causality violation: Concurrent")]
        fn $closed() {
            explore(stringify!($closed), 2, [], || {
                running($handle, false, &Seen::new(), &Seen::new());
            });
        }
    )*};
}

running! {
    bus: not_drained_under_a_bus, a_bus_fails_if_closed_without_looking;
    local: not_drained_under_a_local_bus, a_local_bus_fails_if_closed_without_looking;
    route: not_drained_under_a_route, a_route_fails_if_closed_without_looking;
}

/// Checks that a pending dispatch keeps its handler until the dispatch is dropped or done.
fn pending(looks: bool, drained: &Seen, not_yet: &Seen) {
    let old = Reads::new(1);
    let payload = old.payload();
    let (bus, registrar) = QueryBus::builder()
        .register::<First, _>(Waits(old))
        .open()
        .unwrap();
    let reader = thread::spawn(move || {
        let mut task = Context::from_waker(Waker::noop());
        let mut dispatch = pin!(bus.execute(First));
        let Poll::Pending = dispatch.as_mut().poll(&mut task) else {
            return;
        };
        assert_eq!(dispatch.poll(&mut task), Poll::Ready(Ok(1)));
    });
    let retired = replace(&registrar);
    if !looks || retired.is_drained() {
        drained.count(true);
        payload.set(DROPPED + 1);
    } else {
        not_yet.count(true);
    }
    reader.join().unwrap();
    assert!(retired.is_drained(), "kept for ever");
}

#[test]
fn not_drained_under_a_pending_dispatch() {
    static DRAINED: Seen = Seen::new();
    static NOT_YET: Seen = Seen::new();
    let states = [("drained", &DRAINED), ("not yet", &NOT_YET)];
    explore("pending dispatch", 2, states, || {
        pending(true, &DRAINED, &NOT_YET);
    });
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent")]
fn a_pending_dispatch_fails_if_closed_without_looking() {
    explore("pending dispatch, closed", 2, [], || {
        pending(false, &Seen::new(), &Seen::new());
    });
}

/// Checks that an idle handle keeps its table until `let_go`.
fn idle<D: 'static>(handle: fn(&QueryBus) -> D, let_go: fn(&mut D), pinned: &Seen, gone: &Seen) {
    let (bus, registrar) = open(Reads::new(1));
    let mut handle = handle(&bus);
    let went = Arc::new(AtomicBool::new(false));
    let goes = Arc::clone(&went);
    let retired = replace(&registrar);
    let owner = thread::spawn(move || {
        goes.store(true, Relaxed);
        let_go(&mut handle);
        handle
    });
    let drained = retired.is_drained();
    assert!(!drained || went.load(Relaxed), "not pinned");
    pinned.count(!drained);
    gone.count(drained);
    let handle = owner.join().unwrap();
    assert!(retired.is_drained(), "still pinned");
    drop(handle);
}

macro_rules! idle {
    ($($handle:ident, $let_go:expr, $name:ident, $keeps:ident;)*) => {$(
        #[test]
        fn $name() {
            static PINNED: Seen = Seen::new();
            static GONE: Seen = Seen::new();
            let states = [("pinned", &PINNED), ("let go", &GONE)];
            explore(stringify!($name), 2, states, || {
                idle($handle, $let_go, &PINNED, &GONE);
            });
        }

        #[test]
        #[should_panic(expected = "still pinned")]
        fn $keeps() {
            explore(stringify!($keeps), 2, [], || {
                idle($handle, |_| {}, &Seen::new(), &Seen::new());
            });
        }
    )*};
}

idle! {
    local, LocalBus::refresh, a_local_bus_lets_go_by_refresh, a_local_bus_pins_without_refresh;
    route, Route::refresh, a_route_lets_go_by_refresh, a_route_pins_without_refresh;
}

/// Frees the handler on one thread, while another thread learns of that by the count alone.
fn freed_elsewhere(elsewhere: &Seen, here: &Seen) {
    let old = Reads::new(1);
    let (payload, life) = (old.payload(), old.life());
    let (bus, registrar) = open(old);
    let pin = bus.local();
    let retired = replace(&registrar);
    drop(pin);
    let other = thread::spawn(move || registrar.reclaim());
    if retired.is_drained() {
        let by = life.dropped_by().expect("drained before it was dropped");
        elsewhere.count(by != thread::current().id());
        here.count(by == thread::current().id());
        assert_eq!(payload.get(), DROPPED);
    }
    other.join().unwrap();
    assert!(retired.is_drained(), "kept for ever");
}

#[test]
fn what_another_thread_freed_is_seen() {
    static ELSEWHERE: Seen = Seen::new();
    static HERE: Seen = Seen::new();
    let states = [("freed elsewhere", &ELSEWHERE), ("freed here", &HERE)];
    explore("freed elsewhere", 2, states, || {
        freed_elsewhere(&ELSEWHERE, &HERE);
    });
}

#[test]
#[should_panic(expected = "Causality violation: Concurrent read and write")]
fn what_another_thread_freed_is_not_seen_when_weakened() {
    weakened(|| freed_elsewhere(&Seen::new(), &Seen::new()));
}

/// Checks that `wait` returns, after everything the handler did. The twin sets `pinned`, and never returns.
fn waits(pinned: bool, waited: &Seen) {
    let old = Reads::new(1);
    let (payload, life) = (old.payload(), old.life());
    let (bus, registrar) = open(old);
    let pin = pinned.then(|| bus.local());
    let reader = thread::spawn(move || bus.execute_blocking(First).unwrap());
    let retired = replace(&registrar);
    waited.count(life.is_running());
    retired.wait();
    assert_eq!(payload.get(), DROPPED);
    reader.join().unwrap();
    drop(pin);
}

#[test]
fn wait_ends() {
    static WAITED: Seen = Seen::new();
    let states = [("began while the handler ran", &WAITED)];
    explore("wait", 2, states, || waits(false, &WAITED));
}

#[test]
#[should_panic(expected = "Model exceeded maximum number of branches")]
fn wait_does_not_end_while_pinned() {
    explore("wait, pinned", 2, [], || waits(true, &Seen::new()));
}

/// Polls the future of `.await` with the waker of the task. The twin passes a waker that does nothing.
fn awaits(wakes: bool, was_pending: &Seen, at_once: &Seen) {
    let old = Reads::new(1);
    let payload = old.payload();
    let (bus, registrar) = open(old);
    let reader = thread::spawn(move || bus.execute_blocking(First).unwrap());
    let mut drained = Box::pin(replace(&registrar).into_future());
    let times = block_on(poll_fn(|task| match wakes {
        true => drained.as_mut().poll(task),
        false => drained
            .as_mut()
            .poll(&mut Context::from_waker(Waker::noop())),
    }));
    was_pending.count(times > 0);
    at_once.count(times == 0);
    assert_eq!(payload.get(), DROPPED);
    reader.join().unwrap();
}

#[test]
fn await_ends() {
    static PENDING: Seen = Seen::new();
    static AT_ONCE: Seen = Seen::new();
    let states = [("pending", &PENDING), ("at once", &AT_ONCE)];
    explore("await", 2, states, || awaits(true, &PENDING, &AT_ONCE));
}

#[test]
#[should_panic(expected = "deadlock")]
fn await_does_not_end_without_a_waker() {
    explore("await without a waker", 2, [], || {
        awaits(false, &Seen::new(), &Seen::new());
    });
}
