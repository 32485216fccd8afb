//! Wakers that panic or re-enter: a token and a clock drop those that are no longer needed, and
//! lose none that are.

use std::pin::Pin;
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use arcbus::{CancelToken, CommandBus, Context, FakeClock};

use crate::acts::{Act, Actor};
use crate::hostile::{
    Hooks, counting, each_clone_panics, panics_at_clone, poll_caught, within_time,
};

const SECOND: Duration = Duration::from_secs(1);

fn bus(clock: &FakeClock) -> CommandBus {
    CommandBus::builder()
        .clock(clock.clone())
        .register(Actor::default())
        .build()
        .expect("one name")
}

#[test]
fn a_waker_whose_clone_panics_does_not_stay_with_a_token() {
    let token = CancelToken::new();
    let clones = each_clone_panics(|| Box::pin(token.cancelled()), || ());
    assert!(clones > 0);
    token.cancel();
}

#[test]
fn a_waker_whose_clone_panics_does_not_stay_with_a_clock() {
    let (clock, token) = (FakeClock::new(), CancelToken::new());
    let bus = bus(&clock);
    let wait = || {
        let cx = Context::new().timeout(SECOND).cancel_on(token.clone());
        Box::pin(bus.execute_with(Act::Wait, cx))
    };
    let clones = each_clone_panics(wait, || assert_eq!(clock.next_alarm(), None));
    assert!(clones > 1);
}

/// Polls with a good waker, then with a waker whose clone number `nth` panics, then with the good
/// one again. Returns how often the good waker was woken.
fn woken_after_a_panic<F: Future>(nth: usize, future: F, end: impl Fn()) -> usize {
    let mut future = Box::pin(future);
    let ((waker, wakes), (hostile, clones)) = (counting(), panics_at_clone(nth));
    assert!(poll_caught(future.as_mut(), &waker).is_some_and(|poll| poll.is_pending()));
    let _ = poll_caught(future.as_mut(), &hostile.waker());
    assert!(poll_caught(future.as_mut(), &waker).is_some_and(|poll| poll.is_pending()));
    end();
    assert!(
        wakes.load(Ordering::Relaxed) > 0,
        "clone {nth}: it sleeps for ever"
    );
    clones.load(Ordering::Relaxed)
}

#[test]
fn a_waiter_of_a_token_is_woken_after_another_waker_panicked() {
    for nth in 0..4 {
        let token = CancelToken::new();
        woken_after_a_panic(nth, token.cancelled(), || token.cancel());
    }
}

#[test]
fn a_waiter_of_a_deadline_is_woken_after_another_waker_panicked() {
    for nth in 0..4 {
        let clock = FakeClock::new();
        let bus = bus(&clock);
        let dispatch = bus.execute_with(Act::Wait, Context::new().timeout(SECOND));
        woken_after_a_panic(nth, dispatch, || clock.advance(SECOND));
    }
}

fn panics_when_dropped() -> Arc<Hooks> {
    Arc::new(Hooks {
        drop: Box::new(|| panic!("a drop of the test")),
        ..Hooks::default()
    })
}

/// Leaks this copy of the waker, so that only the copies of the library are dropped.
fn leaked(hooks: &Arc<Hooks>) -> std::mem::ManuallyDrop<Waker> {
    std::mem::ManuallyDrop::new(hooks.waker())
}

#[test]
fn a_waker_whose_drop_panics_makes_way_for_the_next() {
    let (clock, token) = (FakeClock::new(), CancelToken::new());
    let (bus, hostile) = (bus(&clock), panics_when_dropped());
    let cx = Context::new().timeout(SECOND).cancel_on(token.clone());
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx));
    let (waker, wakes) = counting();
    let mut is_pending =
        |waker: &Waker| poll_caught(dispatch.as_mut(), waker).map(|poll| poll.is_pending());
    assert_eq!(is_pending(&leaked(&hostile)), Some(true));
    assert_eq!(is_pending(&waker), Some(true));
    assert_eq!(hostile.wakers(), 1, "the one that was leaked");
    token.cancel();
    clock.advance(SECOND);
    assert_eq!(
        wakes.load(Ordering::Relaxed),
        2,
        "by the token, and by the clock"
    );
    assert_eq!(is_pending(&leaked(&hostile)), Some(false));
}

#[test]
fn a_waker_whose_drop_panics_leaves_with_its_dispatch() {
    let (clock, token) = (FakeClock::new(), CancelToken::new());
    let (bus, hostile) = (bus(&clock), panics_when_dropped());
    let cx = Context::new().timeout(SECOND).cancel_on(token);
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx));
    assert!(poll_caught(dispatch.as_mut(), &leaked(&hostile)).is_some());
    drop(dispatch);
    assert_eq!(hostile.wakers(), 1, "the one that was leaked");
    assert_eq!(clock.next_alarm(), None);
}

type Waiting = Pin<Box<dyn Future<Output = ()> + Send>>;

fn poll<F: Future + ?Sized>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(waker))
}

/// Registers a future that waits for a token.
fn waits(token: &CancelToken) -> Waiting {
    let token = token.clone();
    let mut waiting: Waiting = Box::pin(async move { token.cancelled().await });
    let _ = poll(waiting.as_mut(), Waker::noop());
    waiting
}

/// A token and a clock with waiters, for a hook that re-enters both.
#[derive(Clone)]
struct Scene {
    token: CancelToken,
    clock: FakeClock,
    others: Arc<Mutex<Vec<Waiting>>>,
}

impl Scene {
    /// Drops one other waiter, adds another, and wakes all.
    fn act(&self) {
        let other = self
            .others
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .pop();
        drop(other);
        drop(waits(&self.token));
        self.clock.advance(SECOND);
        self.token.cancel();
    }
}

#[test]
fn a_waker_may_use_the_token_when_cloned_woken_or_dropped() {
    for which in 0..3 {
        within_time(move || {
            let token = CancelToken::new();
            let scene = Scene {
                others: Arc::new(Mutex::new((0..3).map(|_| waits(&token)).collect())),
                clock: FakeClock::new(),
                token,
            };
            let acting = scene.clone();
            let act: Box<dyn Fn() + Send + Sync> = Box::new(move || acting.act());
            let mut hooks = Hooks::default();
            *[&mut hooks.clone, &mut hooks.wake, &mut hooks.drop][which] = act;
            let bus = bus(&scene.clock);
            let cx = Context::new()
                .timeout(SECOND * 60)
                .cancel_on(scene.token.clone());
            let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx));
            let waker = Arc::new(hooks).waker();
            if poll(dispatch.as_mut(), &waker).is_pending() {
                let _ = poll(dispatch.as_mut(), Waker::noop());
            }
            scene.token.cancel();
            drop(dispatch);
            drop(waker);
        });
    }
}
