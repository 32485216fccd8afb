//! Wakers of a waiting dispatch, and the effects of a wake-up.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::{Mutex, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::Duration;

use arcbus::{
    CancelToken, Command, CommandBus, Context, Dispatch, FakeClock, Handler, Message, Query,
    QueryBus, static_bus,
};

use crate::acts::poll_once;
use crate::support::{Wakes, watched};

const SECOND: Duration = Duration::from_secs(1);

/// Sends every waker with which it is polled to the test, and ends when the test says so.
struct Wait {
    wakers: mpsc::Sender<Waker>,
    done: Mutex<mpsc::Receiver<()>>,
}

impl Wait {
    fn new() -> (Self, mpsc::Receiver<Waker>, mpsc::Sender<()>) {
        let (wakers, polled_with) = mpsc::channel();
        let (finish, done) = mpsc::channel();
        let done = Mutex::new(done);
        (Self { wakers, done }, polled_with, finish)
    }

    fn poll(&self, task: &mut Task<'_>) -> Poll<()> {
        // The test may have dropped the receiver.
        let _ = self.wakers.send(task.waker().clone());
        match self.done.lock().expect("no panic").try_recv() {
            Ok(()) => Poll::Ready(()),
            Err(_) => Poll::Pending,
        }
    }
}

impl Message for Wait {
    const NAME: &'static str = "wait";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

struct Waiter;

impl Handler<Wait> for Waiter {
    async fn handle(&self, msg: Wait, _cx: &Context<'_>) -> Result<(), String> {
        poll_fn(|task| msg.poll(task)).await;
        Ok(())
    }
}

static_bus! {
    struct Fixed: Command {
        wait: Wait => Waiter,
    }
}

/// Calls `check` with each handle of a bus with the given clock.
macro_rules! on_each_handle {
    ($clock:expr, $check:expr) => {{
        let bus = CommandBus::builder()
            .clock($clock)
            .register(Waiter)
            .build()
            .expect("one name");
        $check(&bus);
        $check(&mut bus.local());
        $check(&mut bus.route::<Wait>().expect("registered"));
        $check(&Fixed::new(Waiter).clock($clock));
    }};
}

/// Polls a dispatch with one waker and then with another, of which `wake` must wake only the
/// second.
fn the_latest_waker(
    mut handle: impl Dispatch<Wait>,
    cx: Context<'_>,
    wake: impl FnOnce(&mpsc::Receiver<Waker>),
) {
    let (msg, wakers, _finish) = Wait::new();
    let ((first, first_waker), (second, second_waker)) = (Wakes::new(), Wakes::new());
    let mut dispatch = pin!(handle.execute_with(msg, cx));
    for waker in [&first_waker, &second_waker] {
        let mut task = Task::from_waker(waker);
        assert!(dispatch.as_mut().poll(&mut task).is_pending());
    }
    wake(&wakers);
    assert_eq!(first.count(), 0);
    assert!(second.count() >= 1);
}

#[test]
fn the_handler_is_given_the_waker_of_each_poll() {
    fn check(handle: impl Dispatch<Wait>) {
        the_latest_waker(handle, Context::new(), |wakers| {
            wakers.iter().take(2).last().expect("two polls").wake();
        });
    }
    on_each_handle!(FakeClock::new(), check);
}

#[test]
fn a_cancellation_wakes_the_last_waker() {
    fn check(handle: impl Dispatch<Wait>) {
        let token = CancelToken::new();
        let cx = Context::new().cancel_on(token.clone());
        the_latest_waker(handle, cx, |_| token.cancel());
    }
    on_each_handle!(FakeClock::new(), check);
}

#[test]
fn a_deadline_wakes_the_last_waker() {
    let clock = FakeClock::new();
    on_each_handle!(clock.clone(), |handle| {
        let cx = Context::new().timeout(SECOND);
        the_latest_waker(handle, cx, |_| clock.advance(SECOND));
    });
}

/// Checks the blocking lane, where another thread wakes the dispatch several times.
fn woken_by_another_thread(mut handle: impl Dispatch<Wait>) {
    let (msg, wakers, finish) = Wait::new();
    thread::scope(|scope| {
        scope.spawn(move || {
            let _noop = wakers.recv().expect("polled without a waker first");
            for _ in 0..3 {
                wakers.recv().expect("polled again").wake();
            }
            let waker = wakers.recv().expect("polled again");
            finish.send(()).expect("it waits");
            waker.wake();
        });
        assert_eq!(handle.execute_blocking(msg), Ok(()));
    });
}

#[test]
fn another_thread_wakes_a_blocking_dispatch() {
    watched(|| on_each_handle!(FakeClock::new(), woken_by_another_thread));
}

/// A message that wakes itself at each pending poll, and then takes the park token of its thread.
struct TakeToken(u32);

impl Message for TakeToken {
    const NAME: &'static str = "token.take";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

struct TokenTaker;

impl Handler<TakeToken> for TokenTaker {
    async fn handle(
        &self,
        TakeToken(mut polls): TakeToken,
        _cx: &Context<'_>,
    ) -> Result<(), String> {
        poll_fn(|task| {
            if polls == 0 {
                return Poll::Ready(());
            }
            polls -= 1;
            task.waker().wake_by_ref();
            thread::park_timeout(Duration::ZERO);
            Poll::Pending
        })
        .await;
        Ok(())
    }
}

#[test]
fn a_wake_before_the_thread_parks_is_kept_even_if_the_handler_parks() {
    watched(|| {
        let bus = CommandBus::builder()
            .register(TokenTaker)
            .build()
            .expect("one name");
        assert_eq!(bus.execute_blocking(TakeToken(5)), Ok(()));
    });
}

#[test]
fn a_waker_that_outlives_its_dispatch_has_no_effect() {
    watched(|| {
        let bus = CommandBus::builder()
            .register(Waiter)
            .build()
            .expect("one name");
        let (msg, wakers, finish) = Wait::new();
        let late = thread::scope(|scope| {
            let waking = scope.spawn(move || {
                let _noop = wakers.recv().expect("polled without a waker first");
                let waker = wakers.recv().expect("polled again");
                finish.send(()).expect("it waits");
                waker.wake_by_ref();
                waker
            });
            assert_eq!(bus.execute_blocking(msg), Ok(()));
            waking.join().expect("no panic")
        });
        woken_by_another_thread(&bus);
        late.wake();
        woken_by_another_thread(&bus);
    });
}

/// Cancels its own dispatch during a poll, stays pending, and ends by itself at the next poll.
struct GiveUp(CancelToken);

impl Message for GiveUp {
    const NAME: &'static str = "give_up";
    type Kind = Query;
    type Reply = &'static str;
    type Error = String;
}

struct GivesUp;

impl Handler<GiveUp> for GivesUp {
    async fn handle(&self, msg: GiveUp, cx: &Context<'_>) -> Result<&'static str, String> {
        let mut polls = 0;
        poll_fn(|_| {
            polls += 1;
            match polls {
                // The blocking lane polls once before it waits.
                1 if cx.get::<Later>().is_some() => Poll::Pending,
                1 | 2 if !cx.is_cancelled() => {
                    msg.0.cancel();
                    Poll::Pending
                }
                _ => Poll::Ready(Ok("ended by itself")),
            }
        })
        .await
    }
}

struct Later;

#[test]
fn a_dispatch_cancelled_during_a_poll_is_polled_once_more() {
    let bus = QueryBus::builder()
        .register(GivesUp)
        .build()
        .expect("one name");
    let cx = |token: &CancelToken| Context::new().cancel_on(token.clone());
    let token = CancelToken::new();
    let awaited = poll_once(Box::pin(bus.execute_with(GiveUp(token.clone()), cx(&token))).as_mut());
    assert_eq!(awaited, Poll::Ready(Ok("ended by itself")));

    let token = CancelToken::new();
    let later = cx(&token).with(Later);
    let mut awaited = Box::pin(bus.execute_with(GiveUp(token.clone()), later));
    assert_eq!(poll_once(awaited.as_mut()), Poll::Pending);
    assert_eq!(
        poll_once(awaited.as_mut()),
        Poll::Ready(Ok("ended by itself"))
    );

    let token = CancelToken::new();
    let later = cx(&token).with(Later);
    let blocked = bus.execute_blocking_with(GiveUp(token), later);
    assert_eq!(blocked, Ok("ended by itself"));
}
