//! Readings of the clock by a dispatch, and the times derived from them.

use std::time::Duration;

use arcbus::{
    CommandBus, Context, Error, FakeClock, Gate, Gated, Message, Middleware, Next, Outcome, from_fn,
};

use crate::acts::{Act, Actor, Steps, each_lane, each_lane_with, poll_once};

const STEP: Duration = Duration::from_millis(3);

/// Notes the start and the duration of the dispatch, and then takes some time itself.
struct Stopwatch(Steps, FakeClock);

impl<M: Message> Gate<M> for Stopwatch {
    type Pass<'a> = ();

    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        cx.started();
        Ok(())
    }

    fn leave(&self, (): (), _outcome: &Outcome<M>, cx: &Context<'_>) {
        self.0.note(format!("{:?}", cx.elapsed()));
        self.1.advance(STEP);
    }
}

impl<M: Message> Middleware<M> for Stopwatch {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        self.enter(&msg, cx)?;
        let outcome = next.run(msg, cx).await;
        Gate::<M>::leave(self, (), &outcome, cx);
        outcome
    }
}

/// Builds a stack in which every layer asks for the time, around a handler that takes 3 ms.
fn timed() -> (CommandBus, Steps, FakeClock) {
    let (steps, clock) = (Steps::default(), FakeClock::new());
    let watch = || Stopwatch(steps.clone(), clock.clone());
    let time = clock.clone();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .wrap(Gated(watch()))
        .wrap(watch())
        .wrap(Gated(watch()))
        .wrap(watch())
        .wrap(Gated(watch()))
        .register(from_fn(move |_: Act, _cx: &Context<'_>| {
            time.advance(STEP);
            Ok(1)
        }))
        .build()
        .expect("one name");
    (bus, steps, clock)
}

#[test]
fn a_dispatch_without_a_wait_reads_the_clock_twice_under_any_stack() {
    let (bus, steps, clock) = timed();
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads(), 4, "two each");
    assert_eq!(steps.take(), ["3ms"; 10].join(" "), "all of one mind");
}

#[test]
fn a_limit_costs_no_further_read() {
    let (bus, _, clock) = timed();
    let cx = Context::new().timeout(Duration::from_secs(9));
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads(), 4, "two each");
    let cx = cx.deadline(clock.now() + Duration::from_secs(8));
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads(), 8, "two each");
}

#[test]
fn a_limit_alone_reads_the_clock_once_and_a_token_never() {
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(Actor::default())
        .build()
        .expect("one name");
    let token = Context::new().cancel_on(arcbus::CancelToken::new()).with(1);
    assert_eq!(each_lane_with(&bus, Act::Answer(1), &token), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads(), 0);
    let limit = Context::new().timeout(Duration::from_secs(9));
    assert_eq!(each_lane_with(&bus, Act::Answer(1), &limit), [Ok(1), Ok(1)]);
    assert_eq!(clock.reads(), 2, "one each");
}

#[test]
fn a_reused_context_is_timed_anew() {
    let (bus, steps, clock) = timed();
    let cx = Context::new().timeout(Duration::from_secs(1));
    for _ in 0..3 {
        clock.advance(Duration::from_secs(5));
        assert_eq!(bus.execute_blocking_with(Act::Fail, cx.clone()), Ok(1));
        assert_eq!(steps.take(), ["3ms"; 5].join(" "));
    }
}

#[test]
fn a_waiting_handler_is_timed_to_its_end() {
    let (steps, clock) = (Steps::default(), FakeClock::new());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .wrap(Gated(Stopwatch(steps.clone(), clock.clone())))
        .register(arcbus::from_async_fn(async |_: Act, _: &Context<'_>| {
            tokio::task::yield_now().await;
            Ok(1)
        }))
        .build()
        .expect("one name");
    let mut dispatch = Box::pin(bus.execute(Act::Fail));
    assert!(poll_once(dispatch.as_mut()).is_pending());
    clock.advance(STEP * 4);
    assert!(poll_once(dispatch.as_mut()).is_ready());
    assert_eq!(steps.take(), "12ms");
}

#[test]
fn a_handler_that_reads_the_time_does_not_change_the_end() {
    let (steps, clock) = (Steps::default(), FakeClock::new());
    let time = clock.clone();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .wrap(Gated(Stopwatch(steps.clone(), clock)))
        .register(from_fn(move |_: Act, cx: &Context<'_>| {
            time.advance(STEP);
            assert_eq!(cx.elapsed(), STEP);
            time.advance(STEP);
            Ok(1)
        }))
        .build()
        .expect("one name");
    assert_eq!(bus.execute_blocking(Act::Fail), Ok(1));
    assert_eq!(steps.take(), "6ms");
}
