//! The moment at which a retired handler is drained.

use std::pin::pin;
use std::sync::{Arc, Mutex, mpsc};
use std::task::{Context as Task, Wake, Waker};
use std::thread;
use std::time::Duration;

use arcbus::{Context, LocalBus, Query, QueryBus, Registrar, Retired, Route, from_fn};

use crate::support::{Ask, Changer, Do, Drops, ask, begin, block, open, watched};

/// Builds a bus with handler 1 for `Ask<1>` and handler 2 for `Ask<2>`.
fn two() -> (QueryBus, Changer, Drops) {
    let drops = Drops::default();
    let (bus, registrar) = open();
    registrar.must_register::<Ask<1>, _>(drops.handler(1));
    registrar.must_register::<Ask<2>, _>(drops.handler(2));
    (bus, registrar, drops)
}

/// Checks that handler 1 is kept by the handle of `make`, and drained after `move_on`, which
/// returns the handle or drops it.
fn drained_after<T>(make: impl FnOnce(&QueryBus) -> T, move_on: impl FnOnce(T) -> Option<T>) {
    let (bus, registrar, drops) = two();
    let handle = make(&bus);
    let retired = registrar.deregister::<Ask<1>>().expect("registered");
    assert!(!retired.is_drained());
    assert!(drops.numbers().is_empty());
    let handle = move_on(handle);
    assert!(retired.is_drained());
    assert_eq!(drops.numbers(), [1]);
    drop(handle);
}

fn let_go<T>(handle: T) -> Option<T> {
    drop(handle);
    None
}

fn local(bus: &QueryBus) -> LocalBus<Query> {
    bus.local()
}

fn route<const N: usize>(bus: &QueryBus) -> Route<Ask<N>> {
    bus.route::<Ask<N>>().expect("registered")
}

#[test]
fn a_local_bus_moves_on_when_used_refreshed_or_dropped() {
    drained_after(local, |mut local| {
        assert_eq!(local.execute_blocking(Ask::<2>(Do::Answer)), Ok(2));
        Some(local)
    });
    drained_after(local, |mut local| {
        assert!(local.execute_blocking(Ask::<3>(Do::Answer)).is_err());
        Some(local)
    });
    drained_after(local, |mut local| {
        local.refresh();
        Some(local)
    });
    drained_after(local, let_go);
}

#[test]
fn a_route_moves_on_when_used_refreshed_or_dropped() {
    drained_after(route::<1>, |mut route| {
        assert!(route.execute_blocking(Ask(Do::Answer)).is_err());
        Some(route)
    });
    drained_after(route::<1>, |mut route| {
        route.refresh();
        Some(route)
    });
    drained_after(route::<1>, let_go);
}

#[test]
fn a_route_of_another_message_has_to_move_on_too() {
    drained_after(route::<2>, |mut route| {
        assert_eq!(route.execute_blocking(Ask(Do::Answer)), Ok(2));
        Some(route)
    });
    drained_after(route::<2>, let_go);
}

#[test]
fn every_clone_has_to_move_on() {
    let (bus, registrar, drops) = two();
    let (mut local, mut route) = (local(&bus), route::<1>(&bus));
    let (local_2, route_2) = (local.clone(), route.clone());
    let retired = registrar
        .replace::<Ask<1>, _>(drops.handler(3))
        .expect("registered");
    local.refresh();
    route.refresh();
    assert!(!retired.is_drained());
    drop(local_2);
    assert!(!retired.is_drained());
    drop(route_2);
    assert!(retired.is_drained());
    assert_eq!(drops.numbers(), [1]);
}

/// Runs `work` while the handler of `Ask<3>` runs on another thread, and returns its result.
fn during_a_dispatch<T>(bus: &QueryBus, registrar: &Changer, work: impl FnOnce() -> T) -> T {
    let (started, running) = mpsc::channel();
    let (go_on, end) = mpsc::channel::<()>();
    let end = Mutex::new(end);
    registrar.must_register::<Ask<3>, _>(from_fn(move |_: Ask<3>, _cx: &Context<'_>| {
        started.send(()).expect("the test waits for it");
        end.lock().expect("no panic").recv().expect("told once");
        Ok(3)
    }));
    thread::scope(|scope| {
        // Moved into the scope, so that a failure of `work` also ends the dispatch.
        let go_on = go_on;
        let dispatch = scope.spawn(|| ask::<3>(bus));
        running.recv().expect("it runs");
        let done = work();
        go_on.send(()).expect("it runs");
        assert_eq!(dispatch.join().expect("no panic"), Some(3));
        done
    })
}

#[test]
fn an_earlier_blocking_dispatch_keeps_all_handlers_of_its_start() {
    let (bus, registrar, drops) = two();
    let (own, other) = during_a_dispatch(&bus, &registrar, || {
        let own = registrar.deregister::<Ask<3>>().expect("registered");
        let other = registrar.deregister::<Ask<1>>().expect("registered");
        assert!(!own.is_drained());
        assert!(!other.wait_timeout(Duration::ZERO));
        (own, other)
    });
    assert!(own.is_drained());
    assert!(other.is_drained());
    assert_eq!(drops.numbers(), [1]);
}

#[test]
fn a_later_dispatch_keeps_no_retired_handler() {
    let (bus, registrar, drops) = two();
    let retired = registrar
        .replace::<Ask<1>, _>(drops.handler(3))
        .expect("registered");
    let drained = during_a_dispatch(&bus, &registrar, || retired.is_drained());
    assert!(drained);
}

#[test]
fn each_pending_future_keeps_its_first_handler() {
    let (bus, registrar, drops) = two();
    let first = begin::<1>(&bus);
    let one = registrar
        .replace::<Ask<1>, _>(drops.handler(3))
        .expect("registered");
    let second = begin::<1>(&bus);
    let three = registrar.deregister::<Ask<1>>().expect("registered");
    assert!(!one.is_drained() && !three.is_drained());
    drop(first);
    assert!(one.is_drained());
    assert!(!three.is_drained());
    assert_eq!(drops.numbers(), [1]);
    drop(second);
    assert!(three.is_drained());
}

#[test]
fn an_unpolled_future_keeps_no_handler_and_runs_the_new_one() {
    let (bus, registrar, drops) = two();
    let future = bus.execute(Ask::<1>(Do::Answer));
    let retired = registrar
        .replace::<Ask<1>, _>(drops.handler(3))
        .expect("registered");
    assert!(retired.is_drained());
    assert_eq!(block(future), Ok(3));
}

#[test]
fn a_batch_is_drained_with_its_last_handler() {
    for swapped in [false, true] {
        let (bus, registrar, drops) = two();
        let mut futures: [Box<dyn Send>; 2] =
            [Box::new(begin::<1>(&bus)), Box::new(begin::<2>(&bus))];
        if swapped {
            futures.reverse();
        }
        let retired = registrar
            .update(|batch| {
                batch
                    .replace::<Ask<1>, _>(drops.handler(3))
                    .deregister::<Ask<2>>();
            })
            .expect("registered");
        let [sooner, later] = futures;
        assert!(!retired.is_drained());
        drop(sooner);
        assert!(!retired.is_drained());
        assert_eq!(drops.numbers(), [if swapped { 2 } else { 1 }]);
        drop(later);
        assert!(retired.is_drained());
        assert_eq!(drops.numbers(), [1, 2]);
    }
}

/// Checks that `wait` returns when the local bus that keeps handler 1 is dropped, and not before.
fn returns_when_drained(wait: impl FnOnce(Retired) + Send + 'static) {
    watched(move || {
        let (bus, registrar, drops) = two();
        let local = bus.local();
        let retired = registrar.deregister::<Ask<1>>().expect("registered");
        let (begins, begun) = mpsc::channel();
        let seen = drops.clone();
        let waiter = thread::spawn(move || {
            begins.send(()).expect("the test waits for it");
            wait(retired);
            seen.numbers()
        });
        begun.recv().expect("it begins");
        drop(local);
        assert_eq!(waiter.join().expect("no panic"), [1]);
    });
}

#[test]
fn every_way_to_wait_returns_when_the_handler_is_drained() {
    returns_when_drained(|retired| retired.wait());
    returns_when_drained(|retired| assert!(retired.wait_timeout(Duration::MAX)));
    returns_when_drained(|retired| block(async { retired.await }));
}

struct Woken(mpsc::SyncSender<()>);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        let _ = self.0.try_send(());
    }
}

#[test]
fn an_awaited_drain_wakes_its_task_without_a_runtime() {
    let (bus, registrar, drops) = two();
    let local = bus.local();
    let retired = registrar.deregister::<Ask<1>>().expect("registered");
    let (woken, wakes) = mpsc::sync_channel(1);
    let waker = Waker::from(Arc::new(Woken(woken)));
    let mut task = Task::from_waker(&waker);
    let mut drained = pin!(retired.into_future());
    // Polls several times, like a runtime, and each poll looks again.
    for _ in 0..3 {
        assert!(drained.as_mut().poll(&mut task).is_pending());
        wakes
            .recv_timeout(Duration::from_secs(60))
            .expect("it is woken");
    }
    drop(local);
    assert!(drained.as_mut().poll(&mut task).is_ready());
    assert_eq!(drops.numbers(), [1]);
}

#[test]
fn a_timeout_ends_the_wait_for_a_drain() {
    let (bus, registrar, drops) = two();
    let local = bus.local();
    let retired = registrar.deregister::<Ask<1>>().expect("registered");
    assert!(!retired.wait_timeout(Duration::ZERO));
    assert!(!retired.wait_timeout(Duration::from_millis(3)));
    assert!(drops.numbers().is_empty());
    drop(local);
    assert!(retired.wait_timeout(Duration::ZERO));
}

#[test]
fn a_drained_handler_is_freed_by_the_next_change() {
    for reclaim in [
        Registrar::reclaim,
        |registrar: &Changer| drop(registrar.update(|_| ()).expect("nothing to refuse")),
        |registrar: &Changer| assert!(registrar.deregister::<Ask<3>>().is_err()),
    ] {
        let (bus, registrar, drops) = two();
        let local = bus.local();
        drop(registrar.deregister::<Ask<1>>().expect("registered"));
        drop(local);
        assert!(drops.numbers().is_empty(), "a reader frees nothing");
        reclaim(&registrar);
        assert_eq!(drops.numbers(), [1]);
    }
}

#[test]
fn asking_one_drain_handle_frees_every_drained_handler() {
    let (bus, registrar, drops) = two();
    let local = bus.local();
    let asked = registrar.deregister::<Ask<1>>().expect("registered");
    drop(registrar.deregister::<Ask<2>>().expect("registered"));
    drop(local);
    assert!(asked.is_drained());
    assert_eq!(drops.numbers(), [1, 2]);
}

#[test]
fn a_drain_handle_outlives_the_bus_and_the_registrar() {
    let (bus, registrar, drops) = two();
    let local = bus.local();
    let retired = registrar.deregister::<Ask<1>>().expect("registered");
    drop((bus, registrar));
    assert!(!retired.is_drained());
    drop(local);
    assert!(drops.numbers().is_empty(), "it keeps what is registered");
    assert!(retired.is_drained());
    assert_eq!(drops.numbers(), [1]);
    drop(retired);
    assert_eq!(drops.numbers(), [1, 2]);
}
