//! [`CancelToken`]: its effect on a dispatch, and its own behaviour.

use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::task::{Context as Task, Wake, Waker};
use std::thread;
use std::time::Duration;

use arcbus::{CancelToken, CommandBus, Context, Error, FakeClock, Phase, from_fn};

use crate::acts::{Act, Actor, Steps, each_lane_with, poll_once, ready};

fn bus() -> (CommandBus, Steps) {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .clock(FakeClock::new())
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    (bus, steps)
}

fn cancelled<E>(phase: Phase) -> Error<E> {
    Error::Cancelled { phase }
}

#[test]
fn any_clone_of_a_token_cancels_all_clones_for_good() {
    let token = CancelToken::new();
    let clone = token.clone();
    assert!(!token.is_cancelled() && !clone.is_cancelled());
    drop(token.clone());
    assert!(!clone.is_cancelled(), "a drop cancels nothing");
    clone.cancel();
    clone.cancel();
    assert!(token.is_cancelled() && token.clone().is_cancelled());
}

#[test]
fn a_thread_can_wait_for_a_cancellation() {
    let token = CancelToken::new();
    let (sender, receiver) = channel();
    thread::scope(|scope| {
        let (waited, timed) = (token.clone(), token.clone());
        scope.spawn(move || {
            sender.send(()).expect("the test waits for it");
            waited.wait();
            assert!(waited.is_cancelled());
        });
        let timed = scope.spawn(move || timed.wait_timeout(Duration::MAX));
        receiver.recv().expect("the thread says so");
        token.cancel();
        assert!(timed.join().expect("no panic"));
    });
    token.wait();
}

#[test]
fn a_wait_ends_with_its_timeout() {
    let token = CancelToken::new();
    assert!(!token.wait_timeout(Duration::ZERO));
    assert!(!token.wait_timeout(Duration::from_millis(1)));
}

#[derive(Default)]
struct Count(AtomicUsize);

impl Wake for Count {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

fn counter() -> (Arc<Count>, Waker) {
    let count = Arc::new(Count::default());
    (Arc::clone(&count), Waker::from(count))
}

#[test]
fn a_cancellation_wakes_every_waiting_future() {
    let token = CancelToken::new();
    let (count, waker) = counter();
    let mut waiting: Vec<_> = (0..3).map(|_| Box::pin(token.cancelled())).collect();
    for future in &mut waiting {
        assert!(
            future
                .as_mut()
                .poll(&mut Task::from_waker(&waker))
                .is_pending()
        );
    }
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
    token.cancel();
    assert_eq!(count.0.load(Ordering::SeqCst), 3);
    for future in waiting {
        assert_eq!(ready(future), Some(()));
    }
    assert_eq!(ready(token.cancelled()), Some(()), "also who comes later");
}

#[test]
fn a_dropped_waiter_is_neither_woken_nor_kept() {
    let token = CancelToken::new();
    let (count, waker) = counter();
    let mut task = Task::from_waker(&waker);
    {
        let mut waiting = pin!(token.cancelled());
        assert!(waiting.as_mut().poll(&mut task).is_pending());
        assert!(Arc::strong_count(&count) > 2, "the token has the waker");
    }
    let (bus, _) = bus();
    {
        let cx = Context::new().cancel_on(token.clone());
        let mut dispatch = pin!(bus.execute_with(Act::Wait, cx));
        assert!(dispatch.as_mut().poll(&mut task).is_pending());
        assert!(Arc::strong_count(&count) > 2, "the token has the waker");
    }
    assert_eq!(Arc::strong_count(&count), 2, "the test's own and the waker");
    token.cancel();
    assert_eq!(count.0.load(Ordering::SeqCst), 0);
}

#[test]
fn a_cancelled_dispatch_is_refused_or_stopped() {
    let (bus, steps) = bus();
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    assert_eq!(
        each_lane_with(&bus, Act::Answer(1), &cx),
        [Ok(1), Ok(1)],
        "nobody has cancelled"
    );
    let (count, waker) = counter();
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx.clone()));
    let mut task = Task::from_waker(&waker);
    assert!(dispatch.as_mut().poll(&mut task).is_pending());
    steps.take();
    token.cancel();
    assert_eq!(count.0.load(Ordering::SeqCst), 1);
    assert_eq!(ready(dispatch), Some(Err(cancelled(Phase::Indeterminate))));
    assert_eq!(steps.take(), "gone");
    let refused = || Err(cancelled(Phase::NotStarted));
    let outcomes = each_lane_with(&bus, Act::Answer(1), &cx);
    assert_eq!(outcomes, [refused(), refused()]);
    assert_eq!(steps.take(), "");
}

#[test]
fn the_reply_of_a_handler_that_ignores_a_cancellation_is_returned() {
    let token = CancelToken::new();
    let handler = from_fn(|msg: Act, cx: &Context<'_>| {
        let token = cx.cancel_token().ok_or("no token")?;
        assert!(!cx.is_cancelled());
        if msg == Act::Fail {
            token.cancel();
        }
        Ok(u32::from(cx.is_cancelled()))
    });
    let bus = CommandBus::builder()
        .register(handler)
        .build()
        .expect("one name");
    let cx = || Context::new().cancel_on(token.clone());
    assert_eq!(bus.execute_blocking_with(Act::Panic, cx()), Ok(0));
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx()), Ok(1));
    assert!(token.is_cancelled());
}

#[test]
fn each_token_of_a_chain_cancels() {
    let (bus, _) = bus();
    for outer in [true, false] {
        let tokens = (CancelToken::new(), CancelToken::new());
        let parent = Context::new().cancel_on(tokens.0.clone());
        let cx = parent.derive().cancel_on(tokens.1.clone());
        let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx.clone()));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        let one = if outer { &tokens.0 } else { &tokens.1 };
        one.cancel();
        assert!(cx.is_cancelled());
        assert_eq!(parent.is_cancelled(), outer, "a child cancels no parent");
        let stopped = ready(dispatch).expect("it was cancelled");
        assert_eq!(stopped, Err(cancelled(Phase::Indeterminate)));
    }
}
