//! Deadlines and timeouts: their start, the choice among several, and dispatches that are rejected
//! at once.

use std::future::poll_fn;
use std::pin::pin;
use std::sync::Mutex;
use std::sync::mpsc::{Receiver, channel};
use std::task::Poll;
use std::time::Duration;

use arcbus::{
    CancelToken, Command, CommandBus, Context, Error, FakeClock, Handler, Message, Phase,
    TimeLimit, from_fn,
};

use crate::acts::{Act, Actor, Steps, each_lane_with, poll_once, ready};

const SECOND: Duration = Duration::from_secs(1);

fn bus() -> (CommandBus, Steps, FakeClock) {
    let (steps, clock) = (Steps::default(), FakeClock::new());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    (bus, steps, clock)
}

fn late<E>(phase: Phase, elapsed: Duration) -> Error<E> {
    Error::Timeout {
        phase,
        elapsed,
        limit: TimeLimit::Caller,
    }
}

/// Returns the time from the first poll of a dispatch in `cx` until it is given up.
fn given_up_after(bus: &CommandBus, clock: &FakeClock, cx: Context<'_>) -> Duration {
    let mut dispatch = pin!(bus.execute_with(Act::Wait, cx));
    for seconds in 0..100 {
        if let Poll::Ready(outcome) = poll_once(dispatch.as_mut()) {
            let elapsed = SECOND * seconds;
            assert_eq!(outcome, Err(late(Phase::Indeterminate, elapsed)));
            return elapsed;
        }
        clock.advance(SECOND);
    }
    panic!("it was not given up");
}

#[test]
fn a_timeout_counts_from_the_start_of_the_dispatch() {
    let (bus, _, clock) = bus();
    let cx = Context::new().timeout(SECOND * 5);
    clock.advance(SECOND * 60);
    let dispatch = bus.execute_with(Act::Answer(1), cx.clone());
    clock.advance(SECOND * 60);
    assert_eq!(ready(dispatch), Some(Ok(1)), "it began with its first poll");
    for _ in 0..2 {
        let after = given_up_after(&bus, &clock, cx.clone());
        assert_eq!(after, SECOND * 5, "each dispatch has its own");
    }
}

#[test]
fn a_deadline_is_a_moment() {
    let (bus, _, clock) = bus();
    let cx = Context::new().deadline(clock.now() + SECOND * 9);
    clock.advance(SECOND * 2);
    assert_eq!(given_up_after(&bus, &clock, cx.clone()), SECOND * 7);
    let outcome = bus.execute_blocking_with(Act::Answer(1), cx);
    assert!(outcome.unwrap_err().is_timeout());
}

#[test]
fn of_a_timeout_and_a_deadline_the_earlier_holds() {
    let (bus, _, clock) = bus();
    for (timeout, deadline) in [(3, 8), (8, 3)] {
        let cx = Context::new()
            .timeout(SECOND * timeout)
            .deadline(clock.now() + SECOND * deadline);
        assert_eq!(given_up_after(&bus, &clock, cx), SECOND * 3);
    }
}

#[test]
fn a_late_dispatch_is_refused_and_says_by_how_much() {
    let (bus, steps, clock) = bus();
    let by_timeout = Context::new().timeout(Duration::ZERO);
    let refused = || Err(late(Phase::NotStarted, Duration::ZERO));
    let outcomes = each_lane_with(&bus, Act::Answer(1), &by_timeout);
    assert_eq!(outcomes, [refused(), refused()]);

    let by_deadline = Context::new().deadline(clock.now());
    clock.advance(SECOND);
    let refused = || Err(late(Phase::NotStarted, SECOND));
    let outcomes = each_lane_with(&bus, Act::Answer(1), &by_deadline);
    assert_eq!(outcomes, [refused(), refused()]);
    assert_eq!(steps.take(), "");
}

/// A message without a handler.
#[derive(Clone)]
struct Unknown;

impl Message for Unknown {
    const NAME: &'static str = "unknown";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

#[test]
fn late_and_cancelled_are_found_before_the_handler_is_looked_up() {
    let (bus, _, _) = bus();
    let token = CancelToken::new();
    token.cancel();
    let cancelled = Context::new().cancel_on(token);
    for outcome in each_lane_with(&bus, Unknown, &cancelled) {
        let phase = Phase::NotStarted;
        assert_eq!(outcome, Err(Error::Cancelled { phase }));
    }
    let late = Context::new().timeout(Duration::ZERO);
    for outcome in each_lane_with(&bus, Unknown, &late) {
        assert!(outcome.unwrap_err().is_timeout());
    }
    for outcome in each_lane_with(&bus, Act::Invalid, &late) {
        assert!(outcome.unwrap_err().is_timeout());
    }
    for outcome in each_lane_with(&bus, Act::Invalid, &cancelled.timeout(Duration::ZERO)) {
        assert!(outcome.unwrap_err().is_cancelled(), "what the caller said");
    }
    for outcome in each_lane_with(&bus, Unknown, &Context::new()) {
        assert!(outcome.unwrap_err().is_handler_not_found());
    }
}

#[test]
fn limits_beyond_every_clock_are_none() {
    let (bus, _, _) = bus();
    let real = CommandBus::builder()
        .register(Actor::default())
        .build()
        .expect("one name");
    let almost = Duration::from_nanos(u64::MAX - 1);
    for timeout in [Duration::MAX, almost, almost / 2] {
        let cx = Context::new().timeout(timeout);
        assert_eq!(
            each_lane_with(&bus, Act::Answer(1), &cx),
            [Ok(1), Ok(1)],
            "{timeout:?}"
        );
        assert_eq!(
            each_lane_with(&real, Act::Answer(1), &cx),
            [Ok(1), Ok(1)],
            "{timeout:?}"
        );
        let mut waiting = pin!(real.execute_with(Act::Wait, cx.clone()));
        assert!(poll_once(waiting.as_mut()).is_pending());
    }
}

#[test]
fn the_farthest_deadline_does_not_panic() {
    let (bus, _, clock) = bus();
    let farthest = (0..64)
        .rev()
        .map(|bit| Duration::from_secs(1 << bit))
        .fold(clock.now(), |at, step| at.checked_add(step).unwrap_or(at));
    let cx = Context::new().deadline(farthest);
    assert_eq!(each_lane_with(&bus, Act::Answer(1), &cx), [Ok(1), Ok(1)]);
    let mut waiting = pin!(bus.execute_with(Act::Wait, cx));
    assert!(poll_once(waiting.as_mut()).is_pending());
}

#[test]
fn the_reply_of_a_handler_that_finished_late_is_returned() {
    let clock = FakeClock::new();
    let time = clock.clone();
    let bus = CommandBus::builder()
        .clock(clock)
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            time.advance(SECOND * 10);
            assert_eq!(cx.remaining(), Some(Duration::ZERO));
            Ok(7)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND);
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(7), Ok(7)]);
}

/// Waits for a reply that comes from outside.
struct Receives(Mutex<Receiver<u32>>);

impl Handler<Act> for Receives {
    async fn handle(&self, _msg: Act, _cx: &Context<'_>) -> Result<u32, String> {
        poll_fn(
            |_| match self.0.lock().map(|receiver| receiver.try_recv()) {
                Ok(Ok(reply)) => Poll::Ready(Ok(reply)),
                _ => Poll::Pending,
            },
        )
        .await
    }
}

#[test]
fn the_reply_of_a_handler_ready_at_its_deadline_is_returned() {
    let (clock, (sender, receiver)) = (FakeClock::new(), channel());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(Receives(Mutex::new(receiver)))
        .build()
        .expect("one name");
    let mut dispatch = Box::pin(bus.execute_with(Act::Fail, Context::new().timeout(SECOND)));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    clock.advance(SECOND * 2);
    sender.send(7).expect("it waits");
    assert_eq!(ready(dispatch), Some(Ok(7)));
}

#[test]
fn a_handler_sees_the_limit_of_its_dispatch() {
    let clock = FakeClock::new();
    let start = clock.now();
    let bus = CommandBus::builder()
        .clock(clock)
        .register(from_fn(move |msg: Act, cx: &Context<'_>| {
            let limit = (msg == Act::Fail).then_some(SECOND * 4);
            assert_eq!(cx.remaining(), limit);
            assert_eq!(cx.expires_at(), limit.map(|limit| start + limit));
            Ok(1)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().timeout(SECOND * 4);
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(1), Ok(1)]);
    let none = Context::new();
    assert_eq!(each_lane_with(&bus, Act::Panic, &none), [Ok(1), Ok(1)]);
    let beyond = Context::new().timeout(Duration::MAX);
    assert_eq!(each_lane_with(&bus, Act::Panic, &beyond), [Ok(1), Ok(1)]);
}
