//! A forked child has its own deadlines, whatever the parent's threads were doing during the fork.
#![cfg(all(unix, not(arcbus_asan)))]
#![allow(unsafe_code, reason = "forks, and ends and awaits the child")]

use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::{Duration, Instant};

use arcbus::middleware::Timeout;
use arcbus::{Context, Message, Outcome, Query, QueryBus, from_async_fn};

unsafe extern "C" {
    fn fork() -> i32;
    fn waitpid(process: i32, status: *mut i32, options: i32) -> i32;
    fn kill(process: i32, signal: i32) -> i32;
    fn _exit(status: i32) -> !;
}

const NO_HANG: i32 = 1;
const SIGKILL: i32 = 9;

const SHORT: Duration = Duration::from_millis(20);
const LONG: Duration = Duration::from_secs(30);

/// Runs one test at a time, because a fork copies the state of all threads.
fn alone() -> impl Drop {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Forks, and returns whether `work` returned true in the child within a long time.
fn in_child(work: impl FnOnce() -> bool) -> bool {
    // SAFETY: the child runs `work` on its only thread, and ends without unwinding or running the
    // parent's exit handlers.
    let child = unsafe { fork() };
    if child == 0 {
        let done = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
        // SAFETY: ends the process at once.
        unsafe { _exit(i32::from(!done.unwrap_or(false))) }
    }
    assert!(child > 0, "no child");
    ended_well(child)
}

fn ended_well(child: i32) -> bool {
    let (begin, mut status) = (Instant::now(), 0);
    loop {
        // SAFETY: this process started the child, and `status` is a place for its status.
        if unsafe { waitpid(child, &raw mut status, NO_HANG) } == child {
            return status == 0;
        }
        if begin.elapsed() > LONG {
            // SAFETY: this process started the child and has not yet awaited its end.
            unsafe { kill(child, SIGKILL) };
            // SAFETY: this process started the child, and `status` is a place for its status.
            unsafe { waitpid(child, &raw mut status, 0) };
            return false;
        }
        thread::sleep(Duration::from_millis(1));
    }
}

struct Hang;

impl Message for Hang {
    const NAME: &'static str = "hang";
    type Kind = Query;
    type Reply = ();
    type Error = String;
}

fn bus() -> QueryBus {
    let hang = from_async_fn(async |_: Hang, _: &Context<'_>| std::future::pending().await);
    QueryBus::builder()
        .register(hang)
        .build()
        .expect("one name")
}

fn limited() -> Context<'static> {
    Context::new().timeout(SHORT)
}

fn is_late(outcome: Outcome<Hang>) -> bool {
    outcome.is_err_and(|error| error.is_timeout())
}

fn blocks(bus: &QueryBus) -> bool {
    is_late(bus.execute_blocking_with(Hang, limited()))
}

struct Unpark(Thread);

impl Wake for Unpark {
    fn wake(self: Arc<Self>) {
        self.0.unpark();
    }
}

fn waker() -> Waker {
    Waker::from(Arc::new(Unpark(thread::current())))
}

fn block_on<T>(mut future: Pin<&mut impl Future<Output = T>>) -> T {
    let waker = waker();
    loop {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Task::from_waker(&waker)) {
            return output;
        }
        thread::park();
    }
}

fn awaits(bus: &QueryBus) -> bool {
    is_late(block_on(pin!(bus.execute_with(Hang, limited()))))
}

#[test]
fn deadlines_ring_in_a_child_and_in_its_child() {
    let _alone = alone();
    let bus = bus();
    let each_lane = || blocks(&bus) && awaits(&bus);
    assert!(each_lane());
    assert!(in_child(each_lane));
    assert!(in_child(|| each_lane()
        && in_child(each_lane)
        && each_lane()));
    assert!(in_child(|| in_child(each_lane)));
    assert!(each_lane());
}

#[test]
fn a_timeout_ends_a_handler_in_a_child() {
    let _alone = alone();
    let hang = from_async_fn(async |_: Hang, _: &Context<'_>| std::future::pending().await);
    let bus = QueryBus::builder()
        .layer(Timeout::new(SHORT))
        .register(hang)
        .build()
        .expect("in range");
    let each_lane = || {
        let awaited = block_on(pin!(bus.execute(Hang)));
        is_late(awaited) && is_late(bus.execute_blocking(Hang))
    };
    assert!(each_lane());
    assert!(in_child(each_lane));
}

#[test]
fn a_child_may_have_the_first_deadline() {
    let _alone = alone();
    assert!(in_child(|| {
        let bus = bus();
        blocks(&bus) && awaits(&bus)
    }));
}

#[test]
fn a_dispatch_waiting_at_the_fork_ends_in_both_processes() {
    let _alone = alone();
    let bus = bus();
    let cx = Context::new().timeout(Duration::from_millis(200));
    let mut waits = pin!(bus.execute_with(Hang, cx));
    let polled = waits.as_mut().poll(&mut Task::from_waker(&waker()));
    assert!(polled.is_pending());
    assert!(in_child(|| {
        // The first deadline of the child starts the child's timer thread.
        blocks(&bus) && is_late(block_on(waits.as_mut()))
    }));
    assert!(is_late(block_on(waits)));
}

#[test]
fn a_child_drops_the_timers_of_its_parent() {
    let _alone = alone();
    let bus = bus();
    for _ in 0..50 {
        let mut waits = Box::pin(bus.execute_with(Hang, limited()));
        assert!(
            waits
                .as_mut()
                .poll(&mut Task::from_waker(&waker()))
                .is_pending()
        );
        let mut waits = Some(waits);
        assert!(in_child(|| {
            drop(waits.take());
            true
        }));
    }
}

/// Threads of the parent arm, disarm and wake at the very moment of the fork.
#[test]
fn locks_held_at_the_fork_do_not_block_the_child() {
    let _alone = alone();
    let (bus, over) = (bus(), AtomicBool::new(false));
    thread::scope(|scope| {
        for _ in 0..3 {
            scope.spawn(|| {
                while !over.load(Ordering::Relaxed) {
                    let cx = Context::new().timeout(Duration::from_micros(50));
                    let mut waits = pin!(bus.execute_with(Hang, cx));
                    let _ = waits.as_mut().poll(&mut Task::from_waker(Waker::noop()));
                }
            });
        }
        let failed = (0..200).find(|_| !in_child(|| blocks(&bus)));
        over.store(true, Ordering::Relaxed);
        assert_eq!(failed, None, "a child hung");
    });
}
