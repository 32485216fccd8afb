//! Timeouts: late dispatches that are refused, handlers that are dropped, and the limit that a
//! handler sees.

use std::future::poll_fn;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::{Pin, pin};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread;
use std::time::Duration;

use arcbus::ErrorKind;
use arcbus::metrics::Metrics;
use arcbus::middleware::Timeout;
use arcbus::{
    CancelToken, Command, CommandBus, Context, Error, FakeClock, Handler, LayerExt, Message,
    Middleware, Next, Outcome, Phase, RegistrationError, TimeLimit, from_fn,
};

use crate::acts::{Act, Actor, Steps, block, layers, poll_once, ready};
use crate::worker::{Derives, SECOND, Work, Worker, builder, left, worker};

/// Builds a bus with a worker behind `timeout`.
fn bus(timeout: Timeout) -> (CommandBus, FakeClock, Steps) {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock).layer(timeout).register(worker).build();
    (bus.expect("in range"), clock, steps)
}

fn late<E>(phase: Phase, seconds: u32, limit: TimeLimit) -> Error<E> {
    let elapsed = SECOND * seconds;
    Error::Timeout {
        phase,
        elapsed,
        limit,
    }
}

/// Returns the error of a dispatch that the layer dropped after `seconds` seconds.
fn dropped_after<E>(seconds: u32) -> Error<E> {
    late(Phase::Indeterminate, seconds, TimeLimit::Layer)
}

/// Returns the error of a dispatch that its caller's deadline ended after `seconds` seconds.
fn given_up_after<E>(seconds: u32) -> Error<E> {
    late(Phase::Indeterminate, seconds, TimeLimit::Caller)
}

/// Returns the outcomes of a message in both lanes.
fn lanes<M: Message<Kind = Command> + Clone>(bus: &CommandBus, msg: M) -> [Outcome<M>; 2] {
    lanes_with(bus, msg, &Context::new())
}

fn lanes_with<M: Message<Kind = Command> + Clone>(
    bus: &CommandBus,
    msg: M,
    cx: &Context<'_>,
) -> [Outcome<M>; 2] {
    [
        bus.execute_blocking_with(msg.clone(), cx.clone()),
        block(bus.execute_with(msg, cx.clone())),
    ]
}

/// A layer that notes the limit it sees before and after the inner service runs.
struct Around(Steps, &'static str);

impl<M: Message> Middleware<M> for Around {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        let outcome = next.run(msg, cx).await;
        let came = match &outcome {
            Ok(_) => "ok".into(),
            Err(Error::Timeout { phase, elapsed, .. }) => {
                format!("{phase:?}@{}", elapsed.as_secs())
            }
            Err(error) => error.to_string(),
        };
        self.0.note(format!("{}:{came}:{}", self.1, left(cx)));
        outcome
    }
}

#[test]
fn the_reply_of_a_handler_ready_in_time_is_returned() {
    let (bus, _, steps) = bus(Timeout::new(SECOND * 5));
    assert_eq!(lanes(&bus, Work { seconds: 3 }), [Ok(3), Ok(3)]);
    assert_eq!(steps.take(), "4 3 2 4 3 2");
}

#[test]
fn a_handler_over_its_time_is_dropped() {
    let (bus, _, steps) = bus(Timeout::new(SECOND * 2));
    let dropped = || Err(dropped_after(2));
    assert_eq!(lanes(&bus, Work { seconds: 3 }), [dropped(), dropped()]);
    assert_eq!(steps.take(), "1 gone 1 gone");
}

#[test]
fn a_waiting_handler_is_woken_by_the_timer_alone() {
    let (clock, steps) = (FakeClock::new(), Steps::default());
    let bus = builder(&clock)
        .layer(Timeout::new(SECOND))
        .register(Actor(steps.clone()))
        .build()
        .expect("in range");
    let wakes = Arc::new(Wakes);
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    assert!(poll_with(&wakes, dispatch.as_mut()).is_pending());
    let before = Arc::strong_count(&wakes);
    clock.advance(SECOND);
    assert!(Arc::strong_count(&wakes) < before, "the waker was used");
    let outcome = poll_with(&wakes, dispatch.as_mut());
    assert_eq!(outcome, Poll::Ready(Err(dropped_after(1))));
    assert_eq!(steps.take(), "handle gone");

    let blocking = bus.clone();
    let waiting = thread::spawn(move || blocking.execute_blocking(Act::Wait));
    while !steps.contain("handle") {
        thread::yield_now();
    }
    clock.advance(SECOND);
    let outcome = waiting.join().expect("no panic");
    assert!(outcome.unwrap_err().is_indeterminate());
}

/// A waker that counts how many of its clones are alive.
struct Wakes;

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {}
}

fn poll_with<F: Future + ?Sized>(wakes: &Arc<Wakes>, future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(&Waker::from(wakes.clone())))
}

/// A handler that waits for a reply from outside.
struct Receives(Mutex<Receiver<u32>>);

impl Handler<Act> for Receives {
    async fn handle(&self, _msg: Act, _cx: &Context<'_>) -> Result<u32, String> {
        poll_fn(|_| match self.0.lock().map(|it| it.try_recv()) {
            Ok(Ok(reply)) => Poll::Ready(Ok(reply)),
            _ => Poll::Pending,
        })
        .await
    }
}

#[test]
fn the_reply_of_a_handler_ready_on_the_wake_is_returned() {
    let (clock, (sender, receiver)) = (FakeClock::new(), channel());
    let bus = builder(&clock)
        .layer(Timeout::new(SECOND))
        .register(Receives(Mutex::new(receiver)))
        .build()
        .expect("in range");
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    clock.advance(SECOND * 9);
    sender.send(7).expect("it waits");
    assert_eq!(ready(dispatch), Some(Ok(7)));
}

/// Returns a handler that takes `seconds` seconds without ever waiting.
fn busy(clock: &FakeClock) -> impl Handler<Work> {
    let clock = clock.clone();
    from_fn(move |msg: Work, _cx: &Context<'_>| {
        clock.advance(SECOND * msg.seconds);
        Ok(msg.seconds)
    })
}

#[test]
fn the_reply_of_a_late_handler_that_never_waited_is_returned() {
    let clock = FakeClock::new();
    let bus = builder(&clock)
        .layer(Timeout::new(SECOND))
        .register::<Work, _>(busy(&clock))
        .build()
        .expect("in range");
    assert_eq!(lanes(&bus, Work { seconds: 9 }), [Ok(9), Ok(9)]);
}

/// A layer that lets seconds pass before the inner service runs, and tells the inner layers.
struct Delay(FakeClock, u32);

impl<M: Message> Middleware<M> for Delay {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        cx.started();
        self.0.advance(SECOND * self.1);
        cx.after_wait();
        next.run(msg, cx).await
    }
}

#[test]
fn a_dispatch_already_late_is_refused() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Around(steps.clone(), "seen"))
        .wrap(Delay(clock.clone(), 7))
        .layer(Timeout::new(SECOND * 60))
        .register(worker)
        .build()
        .expect("in range");
    let cx = Context::new().timeout(SECOND * 5);
    let refused = || Err(late(Phase::NotStarted, 2, TimeLimit::Caller));
    let outcomes = lanes_with(&bus, Work { seconds: 1 }, &cx);
    assert_eq!(outcomes, [refused(), refused()]);
    assert_eq!(steps.take(), "seen:NotStarted@2:0 seen:NotStarted@2:0");
    assert_eq!(lanes(&bus, Work { seconds: 1 }), [Ok(1), Ok(1)]);
}

#[test]
fn the_time_counts_from_the_end_of_an_outer_wait() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Delay(clock.clone(), 7))
        .layer(Timeout::new(SECOND * 5))
        .register(worker)
        .build()
        .expect("in range");
    let dropped = || Err(dropped_after(12));
    assert_eq!(lanes(&bus, Work { seconds: 6 }), [dropped(), dropped()]);
    assert_eq!(steps.take(), "4 3 2 1 gone 4 3 2 1 gone");
}

#[test]
fn the_limit_holds_for_inner_layers_and_is_restored() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Around(steps.clone(), "out"))
        .layer(Timeout::new(SECOND * 3))
        .wrap(Around(steps.clone(), "in"))
        .register(worker)
        .build()
        .expect("in range");
    assert_eq!(lanes(&bus, Work { seconds: 1 }), [Ok(1), Ok(1)]);
    assert_eq!(steps.take(), "2 in:ok:2 out:ok:- 2 in:ok:2 out:ok:-");
    let dropped = || Err(dropped_after(3));
    assert_eq!(lanes(&bus, Work { seconds: 9 }), [dropped(), dropped()]);
    let one = "2 1 gone out:Indeterminate@3:-";
    assert_eq!(steps.take(), format!("{one} {one}"));
}

#[test]
fn a_shorter_deadline_of_the_caller_is_kept_for_inner_layers() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Around(steps.clone(), "out"))
        .layer(Timeout::new(SECOND * 5))
        .register(worker)
        .build()
        .expect("in range");
    let cx = Context::new().timeout(SECOND * 2);
    let dropped = || Err(given_up_after(2));
    let outcomes = lanes_with(&bus, Work { seconds: 9 }, &cx);
    assert_eq!(outcomes, [dropped(), dropped()]);
    let one = "1 gone out:Indeterminate@2:0";
    assert_eq!(steps.take(), format!("{one} {one}"));
    let longer = Context::new().timeout(SECOND * 60);
    let dropped = || Err(dropped_after(5));
    let outcomes = lanes_with(&bus, Work { seconds: 9 }, &longer);
    assert_eq!(outcomes, [dropped(), dropped()]);
}

/// Builds a bus with two timeouts, and a layer between them that sees the outcome of the inner one.
fn nested(outer: Timeout, inner: Timeout) -> (CommandBus, FakeClock, Steps) {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Around(steps.clone(), "out"))
        .layer(outer)
        .wrap(Around(steps.clone(), "mid"))
        .layer(inner)
        .register(worker)
        .build();
    (bus.expect("in range"), clock, steps)
}

#[test]
fn of_nested_timeouts_the_shorter_holds() {
    let (bus, _, steps) = nested(Timeout::new(SECOND * 5), Timeout::new(SECOND * 2));
    let dropped = || Err(dropped_after(2));
    assert_eq!(lanes(&bus, Work { seconds: 9 }), [dropped(), dropped()]);
    let one = "1 gone mid:Indeterminate@2:3 out:Indeterminate@2:-";
    assert_eq!(steps.take(), format!("{one} {one}"));

    let (bus, _, steps) = nested(Timeout::new(SECOND * 2), Timeout::new(SECOND * 5));
    assert_eq!(lanes(&bus, Work { seconds: 9 }), [dropped(), dropped()]);
    let one = "1 gone out:Indeterminate@2:-";
    assert_eq!(steps.take(), format!("{one} {one}"));
}

/// A message whose handler dispatches a [`Work`] in its own context.
#[derive(Clone, Copy, Debug)]
struct Delegate;

impl Message for Delegate {
    const NAME: &'static str = "delegate";
    type Kind = Command;
    type Reply = u32;
    type Error = Error<String>;
}

struct Delegates(CommandBus, How);

#[derive(Clone, Copy)]
enum How {
    Nested,
    Cloned,
    Derived,
    Detached,
}

impl Handler<Delegate> for Delegates {
    async fn handle(&self, _msg: Delegate, cx: &Context<'_>) -> Result<u32, Error<String>> {
        let work = Work { seconds: 9 };
        match self.1 {
            How::Nested => self.0.execute_in(cx, work).await,
            How::Cloned => self.0.execute_with(work, cx.clone()).await,
            How::Derived => {
                let longer = cx.derive().timeout(SECOND * 60);
                self.0.execute_with(work, longer).await
            }
            How::Detached => self.0.execute_with(work, cx.detach()).await,
        }
    }
}

#[test]
fn a_nested_dispatch_has_the_limit() {
    for how in [How::Nested, How::Cloned, How::Derived, How::Detached] {
        let (worker, clock, steps) = worker();
        let inner = builder(&clock).register(worker).build().expect("one name");
        let bus = builder(&clock)
            .layer(Timeout::new(SECOND * 2).grace(SECOND))
            .register(Delegates(inner, how))
            .build()
            .expect("in range");
        let told = || Err(Error::Handler(given_up_after(2)));
        assert_eq!(lanes(&bus, Delegate), [told(), told()]);
        assert_eq!(steps.take(), "1 gone 1 gone", "by its own edge");
    }
}

#[test]
fn a_handler_in_its_grace_is_cancelled_and_may_still_finish() {
    let (bus, _, steps) = bus(Timeout::new(SECOND * 2).grace(SECOND * 3));
    assert_eq!(lanes(&bus, Work { seconds: 4 }), [Ok(4), Ok(4)]);
    assert_eq!(steps.take(), "1 0! 0! 0! 1 0! 0! 0!");
    let dropped = || Err(dropped_after(5));
    assert_eq!(lanes(&bus, Work { seconds: 6 }), [dropped(), dropped()]);
    assert_eq!(steps.take(), "1 0! 0! 0! gone 1 0! 0! 0! gone");
}

/// A handler that is ready in the first poll after its cancellation.
struct Told;

impl Handler<Act> for Told {
    async fn handle(&self, _msg: Act, cx: &Context<'_>) -> Result<u32, String> {
        poll_fn(|_| match cx.is_cancelled() {
            true => Poll::Ready(Ok(1)),
            false => Poll::Pending,
        })
        .await
    }
}

#[test]
fn a_late_wake_still_polls_the_handler_for_its_grace() {
    let clock = FakeClock::new();
    let bus = builder(&clock)
        .layer(Timeout::new(SECOND).grace(SECOND))
        .register(Told)
        .build()
        .expect("in range");
    for seconds in [1, 2, 9] {
        let mut dispatch = Box::pin(bus.execute(Act::Wait));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        clock.advance(SECOND * seconds);
        assert_eq!(ready(dispatch), Some(Ok(1)), "{seconds}");
    }
}

#[test]
fn the_grace_does_not_extend_a_callers_deadline() {
    let (bus, _, steps) = bus(Timeout::new(SECOND * 2).grace(SECOND * 9));
    for (deadline, dropped, seen) in [
        (2, given_up_after(2), "1 gone"),
        (1, given_up_after(1), "gone"),
        (4, dropped_after(4), "1 0! 0! gone"),
    ] {
        let cx = Context::new().timeout(SECOND * deadline);
        let dropped = || Err(dropped.clone());
        let outcomes = lanes_with(&bus, Work { seconds: 20 }, &cx);
        assert_eq!(outcomes, [dropped(), dropped()]);
        assert_eq!(steps.take(), format!("{seen} {seen}"));
    }
}

#[test]
fn a_grace_is_seen_through_inner_timeouts_and_derived_contexts() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .layer(Timeout::new(SECOND * 2).grace(SECOND * 2))
        .layer(Timeout::new(SECOND * 30))
        .wrap(Derives)
        .wrap(Derives)
        .layer(Timeout::new(SECOND * 20))
        .register(worker)
        .build()
        .expect("in range");
    assert_eq!(lanes(&bus, Work { seconds: 3 }), [Ok(3), Ok(3)]);
    assert_eq!(steps.take(), "1 0! 0! 1 0! 0!");
}

/// A handler that ends when cancelled, and replies with the seconds that it took.
struct Ends(FakeClock);

impl Handler<Act> for Ends {
    async fn handle(&self, _msg: Act, cx: &Context<'_>) -> Result<u32, String> {
        let start = self.0.now();
        cx.cancelled().await;
        Ok((self.0.now() - start).as_secs() as u32)
    }
}

#[test]
fn a_handler_can_await_its_cancellation() {
    let clock = FakeClock::new();
    let plain = builder(&clock).register(Ends(clock.clone()));
    let plain = plain.build().expect("one name");
    let limited = builder(&clock)
        .layer(Timeout::new(SECOND * 3))
        .register(Ends(clock.clone()))
        .build()
        .expect("in range");
    let token = CancelToken::new();
    for (bus, cx, seconds) in [
        (&limited, Context::new(), 3),
        (&limited, Context::new().timeout(SECOND * 2), 2),
        (&plain, Context::new().timeout(SECOND * 4), 4),
        (&plain, Context::new().cancel_on(token.clone()), 8),
    ] {
        let wakes = Arc::new(Wakes);
        let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx));
        for _ in 0..seconds {
            assert!(poll_with(&wakes, dispatch.as_mut()).is_pending());
            clock.advance(SECOND);
        }
        if seconds == 8 {
            token.cancel();
        }
        let outcome = poll_with(&wakes, dispatch.as_mut());
        assert_eq!(outcome, Poll::Ready(Ok(seconds)));
        drop(dispatch);
        assert_eq!(Arc::strong_count(&wakes), 1, "a waker was left behind");
    }
}

#[test]
fn a_callers_cancellation_passes_through() {
    let (bus, _, steps) = bus(Timeout::new(SECOND * 60).grace(SECOND));
    let token = CancelToken::new();
    let mut dispatch =
        Box::pin(bus.execute_with(Work { seconds: 9 }, Context::new().cancel_on(token.clone())));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    token.cancel();
    let phase = Phase::Indeterminate;
    assert_eq!(ready(dispatch), Some(Err(Error::Cancelled { phase })));
    assert_eq!(steps.take(), "59! gone", "told, then dropped");
}

/// A middleware that polls two runs of the inner service by turns, of which the first to end drops
/// the other.
struct Race;

impl<M: Message + Clone> Middleware<M> for Race {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        let (mut one, mut other) = (pin!(next.run(msg.clone(), cx)), pin!(next.run(msg, cx)));
        poll_fn(|task| match one.as_mut().poll(task) {
            Poll::Pending => other.as_mut().poll(task),
            ready => ready,
        })
        .await
    }
}

#[test]
fn limits_of_interleaved_futures_do_not_mix() {
    let (worker, clock, steps) = worker();
    let timeout = Timeout::new(SECOND * 60)
        .per_message(|msg: &Work, _cx: &Context<'_>| Some(SECOND * (msg.seconds + 10)));
    let bus = builder(&clock)
        .wrap(Around(steps.clone(), "out"))
        .scope(|s| s.wrap(Race).layer(timeout).register(worker))
        .build()
        .expect("in range");
    assert_eq!(lanes(&bus, Work { seconds: 2 }), [Ok(2), Ok(2)]);
    let seen = "10 9 8 gone out:ok:-";
    assert_eq!(steps.take(), format!("{seen} {seen}"));
}

#[test]
fn a_dispatch_dropped_at_any_poll_leaves_nothing_behind() {
    let (bus, clock, steps) = bus(Timeout::new(SECOND * 3).grace(SECOND * 2));
    for polls in 0..=3 {
        let wakes = Arc::new(Wakes);
        let mut dispatch = Box::pin(bus.execute(Work { seconds: 9 }));
        for _ in 0..polls {
            assert!(poll_with(&wakes, dispatch.as_mut()).is_pending());
        }
        assert_eq!(Arc::strong_count(&wakes) > 1, polls > 0, "a timer is armed");
        drop(dispatch);
        assert_eq!(Arc::strong_count(&wakes), 1, "a waker was left behind");
        assert_eq!(steps.contain("gone"), polls > 0);
        steps.take();
    }
    clock.advance(SECOND * 60);
}

/// A middleware that drops the inner service after its first poll.
struct Impatient(Steps);

impl<M: Message> Middleware<M> for Impatient {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        {
            let mut rest = pin!(next.run(msg, cx));
            poll_fn(|task| Poll::Ready(rest.as_mut().poll(task).is_pending())).await;
        }
        self.0.note(left(cx));
        Err(Error::Overloaded { limit: 1 })
    }
}

#[test]
fn the_limit_ends_with_a_dropped_inner_future() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Impatient(steps.clone()))
        .layer(Timeout::new(SECOND * 3))
        .register(worker)
        .build()
        .expect("in range");
    for outcome in lanes(&bus, Work { seconds: 2 }) {
        assert!(outcome.unwrap_err().is_overloaded());
    }
    assert_eq!(steps.take(), "gone - gone -");
}

/// A handler that panics in its second poll or when dropped, as its message says.
struct Panics(Worker);

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        assert!(thread::panicking(), "on purpose, in a drop");
    }
}

impl Handler<Act> for Panics {
    async fn handle(&self, msg: Act, _cx: &Context<'_>) -> Result<u32, String> {
        let bomb = (msg == Act::Wait).then(|| Bomb);
        self.0.second().await;
        assert!(bomb.is_some(), "on purpose, in a poll");
        std::future::pending().await
    }
}

#[test]
fn a_panic_of_the_inner_service_does_not_leave_a_timeout() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Around(steps.clone(), "out"))
        .layer(Timeout::new(SECOND))
        .register(Panics(worker))
        .build()
        .expect("in range");
    let dropped = || Err(dropped_after(1));
    assert_eq!(lanes(&bus, Act::Wait), [dropped(), dropped()]);
    let one = "out:Indeterminate@1:-";
    assert_eq!(steps.take(), format!("{one} {one}"));
    let longer = builder(&clock)
        .wrap(Around(steps.clone(), "out"))
        .layer(Timeout::new(SECOND * 5))
        .register(Panics(Worker {
            clock: clock.clone(),
            steps: steps.clone(),
        }))
        .build()
        .expect("in range");
    for outcome in lanes(&longer, Act::Fail) {
        assert!(outcome.unwrap_err().is_panicked());
    }
}

#[test]
fn the_limit_is_restored_after_a_panic_of_a_middleware() {
    struct Catches(Steps);
    impl<M: Message> Middleware<M> for Catches {
        async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
            let mut rest = Box::pin(next.run(msg, cx));
            let polled = poll_fn(|task| {
                let poll = || rest.as_mut().poll(task);
                Poll::Ready(catch_unwind(AssertUnwindSafe(poll)).is_err())
            });
            assert!(polled.await, "it panics");
            self.0.note(left(cx));
            Err(Error::Overloaded { limit: 1 })
        }
    }
    struct Breaks;
    impl<M: Message> Middleware<M> for Breaks {
        async fn handle(&self, _: M, _: &Context<'_>, _: &impl Next<M>) -> Outcome<M> {
            panic!("a middleware of the test")
        }
    }
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .wrap(Catches(steps.clone()))
        .layer(Timeout::new(SECOND))
        .wrap(Breaks)
        .register(worker)
        .build()
        .expect("in range");
    for outcome in lanes(&bus, Work { seconds: 1 }) {
        assert!(outcome.unwrap_err().is_overloaded());
    }
    assert_eq!(steps.take(), "- -");
}

#[test]
fn a_message_without_a_wait_costs_one_reading_of_the_clock() {
    let (bus, clock, _) = bus(Timeout::new(SECOND));
    let reads = |cx: Context<'static>| {
        let before = clock.reads();
        let outcomes = lanes_with(&bus, Work { seconds: 0 }, &cx);
        assert_eq!(outcomes, [Ok(0), Ok(0)]);
        clock.reads() - before
    };
    assert_eq!(reads(Context::new()), 2, "one in each lane");
    assert_eq!(reads(Context::new().timeout(SECOND)), 2);
    let (two, clock, _) = nested(Timeout::new(SECOND), Timeout::new(SECOND));
    let before = clock.reads();
    assert_eq!(
        ready(two.execute(Act::Fail)).map(|it| it.is_err()),
        Some(true)
    );
    assert_eq!(clock.reads(), before, "no handler, no time");
}

#[test]
fn the_time_can_depend_on_the_route_and_on_the_message() {
    let (worker, clock, _) = worker();
    let timeout = Timeout::new(SECOND)
        .for_route::<Work>(SECOND * 9)
        .for_route::<Work>(SECOND * 2);
    let bus = builder(&clock)
        .layer(timeout)
        .register::<Work, _>(worker.clone())
        .register::<Act, _>(Panics(worker.clone()))
        .build()
        .expect("in range");
    let dropped = || Err(dropped_after(2));
    assert_eq!(lanes(&bus, Work { seconds: 9 }), [dropped(), dropped()]);
    assert_eq!(bus.execute_blocking(Act::Wait), Err(dropped_after(1)));

    let by_message = Timeout::new(SECOND * 4).per_message(|msg: &Work, _cx: &Context<'_>| {
        let seconds = msg.seconds / 2;
        (seconds != 4).then_some(SECOND * seconds)
    });
    let bus = builder(&clock)
        .scope(|s| s.layer(by_message).register(worker))
        .build()
        .expect("in range");
    assert_eq!(layers(&bus), ["Timeout"]);
    for (seconds, expected) in [
        (0, late(Phase::NotStarted, 0, TimeLimit::Layer)),
        (6, dropped_after(3)),
        (8, dropped_after(4)),
        (20, dropped_after(10)),
    ] {
        let expected = || Err(expected.clone());
        assert_eq!(lanes(&bus, Work { seconds }), [expected(), expected()]);
    }
}

#[test]
fn the_time_can_be_changed_on_a_running_timeout() {
    let timeout = Timeout::new(SECOND * 30).grace(SECOND);
    let handles = timeout.handles();
    let (bus, _, _) = bus(timeout);
    let policy = handles.get("work").expect("registered");
    assert_eq!((policy.timeout(), policy.grace()), (SECOND * 30, SECOND));
    let mut before = Box::pin(bus.execute(Work { seconds: 4 }));
    assert!(poll_once(before.as_mut()).is_pending());
    policy.set_timeout(SECOND).expect("in range");
    assert!(policy.set_timeout(Duration::ZERO).is_err());
    let dropped = || Err(dropped_after(2));
    assert_eq!(lanes(&bus, Work { seconds: 4 }), [dropped(), dropped()]);
    assert_eq!(block(before), Ok(4), "it has what it was given");
    drop(bus);
    drop(policy);
    assert!(handles.get("work").is_none());
}

/// In both lanes, a layer between two timeouts sees no outcome if the outer timeout ends the
/// dispatch.
#[test]
fn a_dispatch_ended_by_an_outer_timeout_counts_as_dropped_inside() {
    let (worker, clock, _) = worker();
    let metrics = Metrics::new();
    let bus = builder(&clock)
        .layer(Timeout::new(SECOND))
        .layer(metrics.layer())
        .layer(Timeout::new(SECOND * 5))
        .register(worker)
        .build()
        .expect("in range");
    let dropped = || Err(dropped_after(1));
    assert_eq!(lanes(&bus, Work { seconds: 4 }), [dropped(), dropped()]);
    let snapshot = metrics.snapshot();
    let work = &snapshot.routes()[0];
    let counts = [ErrorKind::Dropped, ErrorKind::Timeout].map(|kind| work.failures(kind));
    assert_eq!(counts, [2, 0]);
}

#[test]
fn a_policy_can_serve_several_routes() {
    let (worker, clock, _) = worker();
    let timeout = Timeout::new(SECOND * 2);
    let handles = timeout.handles();
    let bus = builder(&clock)
        .layer(timeout.shared())
        .register::<Work, _>(worker.clone())
        .register::<Act, _>(Panics(worker))
        .build()
        .expect("in range");
    assert_eq!(handles.all().len(), 1);
    let (_, policy) = &handles.all()[0];
    policy.set_timeout(SECOND).expect("in range");
    assert_eq!(
        bus.execute_blocking(Work { seconds: 4 }),
        Err(dropped_after(1))
    );
    assert_eq!(bus.execute_blocking(Act::Wait), Err(dropped_after(1)));
}

#[test]
fn settings_out_of_range_are_refused_with_the_registration() {
    let refused = |timeout: Timeout| {
        let (worker, clock, _) = worker();
        let bus = builder(&clock).layer(timeout).register(worker).build();
        match bus.expect_err("out of range") {
            RegistrationError::InvalidSetting(setting) => setting.field(),
            other => panic!("{other}"),
        }
    };
    assert_eq!(refused(Timeout::new(Duration::ZERO)), "Timeout.timeout");
    assert_eq!(refused(Timeout::new(Duration::MAX)), "Timeout.timeout");
    let route = Timeout::new(SECOND).for_route::<Act>(Duration::ZERO);
    assert_eq!(refused(route), "Timeout.timeout");
    let grace = Timeout::new(SECOND).grace(Duration::MAX);
    assert_eq!(refused(grace), "Timeout.grace");
}

#[test]
fn a_none_timeout_does_not_limit() {
    let (worker, clock, steps) = worker();
    let bus = builder(&clock)
        .layer(None::<Timeout>)
        .register(worker)
        .build()
        .expect("one name");
    assert!(layers(&bus).is_empty());
    assert_eq!(lanes(&bus, Work { seconds: 2 }), [Ok(2), Ok(2)]);
    assert_eq!((steps.take(), clock.reads()), ("- - - -".into(), 0));
}

#[test]
fn a_time_beyond_every_clock_is_no_limit() {
    let (bus, _, steps) = bus(Timeout::new(Duration::from_nanos(u64::MAX - 1)));
    assert_eq!(lanes(&bus, Work { seconds: 1 }), [Ok(1), Ok(1)]);
    assert_eq!(steps.take(), "- -");
}
