//! Deadlines and timeouts that use the timers of a tokio runtime (feature `tokio-time`).
#![cfg(feature = "tokio-time")]

#[path = "support/acts.rs"]
mod acts;

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::task::Poll;
use std::time::Duration;

use acts::{Act, Actor, Steps, poll_once};
use arcbus::middleware::{Bulkhead, RateLimit, Timeout};
use arcbus::{CommandBus, Context, Error, Handler, Outcome, Phase};
use tokio::runtime::{Builder, Runtime};
use tokio::time::Instant;

const SHORT: Duration = Duration::from_millis(5);
const HOUR: Duration = Duration::from_secs(3600);

fn bus(timeout: Timeout) -> (CommandBus, Steps) {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(timeout)
        .register(Actor(steps.clone()))
        .build();
    (bus.expect("in range"), steps)
}

fn current_thread() -> Runtime {
    let mut builder = Builder::new_current_thread();
    builder.enable_time().build().expect("a runtime")
}

/// Returns a runtime with a paused clock, which moves to the next timer whenever the runtime is
/// idle.
fn paused() -> Runtime {
    let mut builder = Builder::new_current_thread();
    let builder = builder.enable_time().start_paused(true);
    builder.build().expect("a runtime")
}

fn multi_thread(workers: usize) -> Runtime {
    let mut builder = Builder::new_multi_thread();
    let builder = builder.worker_threads(workers).enable_time();
    builder.build().expect("a runtime")
}

#[track_caller]
fn assert_dropped(outcome: &Outcome<Act>) {
    let dropped = matches!(
        outcome,
        Err(Error::Timeout {
            phase: Phase::Indeterminate,
            ..
        })
    );
    assert!(dropped, "{outcome:?}");
}

/// The first alarm that needs the library's own timer thread starts that thread.
#[track_caller]
fn assert_no_thread_of_ours() {
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else {
        return; // another system
    };
    let names = threads.flatten().map(|thread| thread.path().join("comm"));
    let mut names = names.filter_map(|name| std::fs::read_to_string(name).ok());
    assert!(names.all(|name| name.trim() != "arcbus-timer"));
}

#[test]
fn a_timeout_and_a_deadline_ring_by_the_runtime() {
    for runtime in [current_thread(), multi_thread(2)] {
        let (bus, steps) = bus(Timeout::new(SHORT));
        assert_dropped(&runtime.block_on(bus.execute(Act::Wait)));
        let cx = Context::new().timeout(SHORT);
        assert_dropped(&runtime.block_on(bus.execute_with(Act::Wait, cx)));
        assert_eq!(steps.take(), "handle gone handle gone");
    }
    assert_no_thread_of_ours();
}

#[test]
fn blocking_on_a_worker_rings_by_the_runtime() {
    for workers in [1, 2] {
        let (bus, steps) = bus(Timeout::new(SHORT));
        let runtime = multi_thread(workers);
        let worker = bus.clone();
        let task = runtime.spawn(async move { worker.execute_blocking(Act::Wait) });
        assert_dropped(&runtime.block_on(task).expect("no panic"));
        assert_dropped(&runtime.block_on(async { bus.execute_blocking(Act::Wait) }));
        assert_eq!(steps.take(), "handle gone handle gone");
    }
    assert_no_thread_of_ours();
}

#[test]
fn a_paused_clock_moves_to_the_end_of_a_wait() {
    let (bus, _) = bus(Timeout::new(HOUR));
    paused().block_on(async {
        let start = Instant::now();
        assert_dropped(&bus.execute(Act::Wait).await);
        assert!(start.elapsed() >= HOUR);
        let start = Instant::now();
        let cx = Context::new().timeout(HOUR / 2);
        assert_dropped(&bus.execute_with(Act::Wait, cx).await);
        assert!((HOUR / 2..HOUR).contains(&start.elapsed()));
    });
    assert_no_thread_of_ours();
}

/// Two clocks that drift apart make a timer ring early, here with the runtime's clock a little
/// ahead.
#[test]
fn a_timer_that_rings_early_is_armed_again() {
    const LIMIT: Duration = Duration::from_millis(400);
    let (bus, _) = bus(Timeout::new(HOUR));
    current_thread().block_on(async {
        let start = std::time::Instant::now();
        let mut waits = pin!(bus.execute_with(Act::Wait, Context::new().timeout(LIMIT)));
        assert!(poll_once(waits.as_mut()).is_pending());
        std::thread::sleep(LIMIT - LIMIT / 16);
        tokio::time::pause();
        tokio::time::advance(LIMIT / 10).await;
        tokio::time::resume();
        assert_dropped(&waits.await);
        assert!(start.elapsed() >= LIMIT, "{:?}", start.elapsed());
    });
}

#[test]
fn a_paused_clock_moves_to_the_grace_and_to_its_end() {
    let (bus, _) = bus(Timeout::new(HOUR).grace(HOUR * 2));
    paused().block_on(async {
        let start = Instant::now();
        assert_dropped(&bus.execute(Act::Wait).await);
        assert!(start.elapsed() >= HOUR * 3);
    });
}

/// A handler that ends when its context is cancelled.
struct Ends;

impl Handler<Act> for Ends {
    async fn handle(&self, _msg: Act, cx: &Context<'_>) -> Result<u32, String> {
        cx.cancelled().await;
        Ok(u32::from(cx.is_cancelled()))
    }
}

#[test]
fn a_paused_clock_cancels_a_handler_for_its_grace() {
    let bus = CommandBus::builder()
        .layer(Timeout::new(HOUR).grace(HOUR))
        .register(Ends)
        .build()
        .expect("in range");
    paused().block_on(async {
        let start = Instant::now();
        assert!(bus.execute(Act::Wait).await.is_ok());
        assert!((HOUR..HOUR * 2).contains(&start.elapsed()));
    });
}

/// Polls the future once, in the runtime's task.
async fn polled<F: Future>(mut future: Pin<&mut F>) -> Poll<F::Output> {
    poll_fn(|task| Poll::Ready(future.as_mut().poll(task))).await
}

#[test]
fn advancing_a_paused_clock_ends_due_timeouts() {
    let (bus, steps) = bus(Timeout::new(HOUR));
    paused().block_on(async {
        let mut dispatch = pin!(bus.execute(Act::Wait));
        assert!(polled(dispatch.as_mut()).await.is_pending());
        tokio::time::advance(HOUR - Duration::from_secs(1)).await;
        assert!(polled(dispatch.as_mut()).await.is_pending());
        assert_eq!(steps.take(), "handle");
        tokio::time::advance(Duration::from_secs(2)).await;
        assert!(polled(dispatch.as_mut()).await.is_ready());
    });
}

#[test]
fn a_paused_clock_ends_a_wait_for_a_token() {
    let limit = RateLimit::new(1, HOUR).wait_at_most(HOUR * 2);
    let bus = CommandBus::builder()
        .layer(limit)
        .register(Actor(Steps::default()))
        .build()
        .expect("in range");
    paused().block_on(async {
        let start = Instant::now();
        for _ in 0..2 {
            assert_eq!(bus.execute(Act::Answer(1)).await, Ok(1));
        }
        assert!((HOUR - SHORT..HOUR * 2).contains(&start.elapsed()));
    });
}

#[test]
fn a_paused_clock_ends_a_wait_in_a_queue() {
    let bus = CommandBus::builder()
        .layer(Bulkhead::new(1).queue(1, HOUR))
        .register(Actor(Steps::default()))
        .build()
        .expect("in range");
    paused().block_on(async {
        let mut holder = pin!(bus.execute(Act::Wait));
        assert!(polled(holder.as_mut()).await.is_pending());
        let start = Instant::now();
        let refused = bus.execute(Act::Answer(1)).await;
        assert!(matches!(refused, Err(Error::Overloaded { limit: 1 })));
        assert!((HOUR - SHORT..HOUR * 2).contains(&start.elapsed()));
    });
}

#[test]
fn many_tasks_time_out_together() {
    let (bus, _) = bus(Timeout::new(SHORT));
    let runtime = multi_thread(2);
    let tasks: Vec<_> = (0..100)
        .map(|_| {
            let bus = bus.clone();
            runtime.spawn(async move { bus.execute(Act::Wait).await })
        })
        .collect();
    for task in tasks {
        assert_dropped(&runtime.block_on(task).expect("no panic"));
    }
}

#[test]
fn a_dispatch_outlives_its_runtime() {
    let (bus, steps) = bus(Timeout::new(SHORT));
    let (runtime, other) = (current_thread(), current_thread());
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    let first = runtime.block_on(polled(dispatch.as_mut()));
    drop(runtime);
    if first.is_pending() {
        assert_dropped(&other.block_on(dispatch));
    }
    assert_eq!(steps.take(), "handle gone");
    let mut dropped = Box::pin(bus.execute(Act::Wait));
    let _ = other.block_on(polled(dropped.as_mut()));
    drop(other);
    drop(dropped);
    assert_eq!(steps.take(), "handle gone");
}
