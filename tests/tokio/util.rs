//! A `CancellationToken` of tokio-util as a [`CancelToken`] (feature `tokio-util`).

use std::thread;
use std::time::Duration;

use crate::acts::{Act, Actor, Steps, block, each_lane_with, poll_once, ready};
use arcbus::{CancelToken, CommandBus, Context, Error, Phase};
use tokio_util::sync::CancellationToken;

fn bus() -> (CommandBus, Steps) {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    (bus, steps)
}

fn cancelled<T>(phase: Phase) -> Result<T, Error<String>> {
    Err(Error::Cancelled { phase })
}

#[test]
fn cancelling_either_token_cancels_both() {
    let theirs = CancellationToken::new();
    let ours = CancelToken::from(theirs.clone());
    assert!(!ours.is_cancelled());
    ours.cancel();
    assert!(theirs.is_cancelled() && ours.is_cancelled());

    let theirs = CancellationToken::new();
    let ours = CancelToken::from(theirs.clone()).clone();
    theirs.cancel();
    assert!(ours.is_cancelled());
}

#[test]
fn a_child_token_is_cancelled_with_its_parent_or_alone() {
    let parent = CancellationToken::new();
    let ours = CancelToken::from(parent.child_token());
    let other = CancelToken::from(parent.child_token());
    other.cancel();
    assert!(!parent.is_cancelled() && !ours.is_cancelled());
    parent.cancel();
    assert!(ours.is_cancelled());
}

#[test]
fn a_tokio_token_stops_a_waiting_dispatch_in_both_lanes() {
    let (bus, steps) = bus();
    let theirs = CancellationToken::new();
    let cx = || Context::new().cancel_on(theirs.clone().into());
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx()));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert!(poll_once(dispatch.as_mut()).is_pending());
    assert_eq!(steps.take(), "handle");
    thread::scope(|scope| {
        let blocking = scope.spawn(|| bus.execute_blocking_with(Act::Wait, cx()));
        while !steps.contain("handle") {
            thread::yield_now();
        }
        theirs.cancel();
        let outcome = blocking.join().expect("no panic");
        assert_eq!(outcome, cancelled(Phase::Indeterminate));
    });
    assert_eq!(ready(dispatch), Some(cancelled(Phase::Indeterminate)));
    assert_eq!(steps.take(), "handle gone gone");
}

#[test]
fn a_tokio_token_wakes_a_task_that_awaits_a_dispatch() {
    let (bus, steps) = bus();
    let theirs = CancellationToken::new();
    let canceller = theirs.clone();
    let outcome = thread::scope(|scope| {
        scope.spawn(|| {
            while !steps.contain("handle") {
                thread::yield_now();
            }
            canceller.cancel();
        });
        block(bus.execute_with(Act::Wait, Context::new().cancel_on(theirs.into())))
    });
    assert_eq!(outcome, cancelled(Phase::Indeterminate));
}

#[test]
fn a_cancelled_tokio_token_refuses_a_dispatch() {
    let (bus, steps) = bus();
    let theirs = CancellationToken::new();
    theirs.cancel();
    let cx = Context::new().cancel_on(theirs.into());
    let refused = || cancelled(Phase::NotStarted);
    assert_eq!(
        each_lane_with(&bus, Act::Answer(1), &cx),
        [refused(), refused()]
    );
    assert_eq!(steps.take(), "");
}

#[test]
fn threads_and_futures_wait_for_a_tokio_token() {
    let theirs = CancellationToken::new();
    let ours = CancelToken::from(theirs.clone());
    assert!(!ours.wait_timeout(Duration::from_millis(1)));
    let mut waiting = Box::pin(ours.cancelled());
    assert!(poll_once(waiting.as_mut()).is_pending());
    thread::scope(|scope| {
        let waits = scope.spawn(|| ours.wait());
        let timed = scope.spawn(|| ours.wait_timeout(Duration::MAX));
        theirs.cancel();
        waits.join().expect("no panic");
        assert!(timed.join().expect("no panic"));
    });
    assert_eq!(ready(waiting), Some(()));
}

/// The waiting thread is the one that would drive the runtime's timers.
#[test]
fn a_wait_that_blocks_the_only_thread_of_a_runtime_ends_in_time() {
    let (sender, receiver) = std::sync::mpsc::channel();
    thread::spawn(move || {
        let mut builder = tokio::runtime::Builder::new_current_thread();
        let runtime = builder.enable_time().build().expect("a runtime");
        let ours = CancelToken::from(CancellationToken::new());
        let waited = runtime.block_on(async { ours.wait_timeout(Duration::from_millis(1)) });
        sender.send(waited).expect("the test waits");
    });
    assert_eq!(receiver.recv_timeout(Duration::from_secs(20)), Ok(false));
}
