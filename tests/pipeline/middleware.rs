//! Freedoms of a middleware: to run the inner service again, not at all, or with another message.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use acts::{Act, Actor, Steps, each_lane, each_lane_with};
use arcbus::{
    Command, CommandBus, Context, Error, FakeClock, Gated, Handler, Message, Middleware, Next,
    Outcome, Rejection, Violations, from_fn,
};

use crate::acts;
use crate::marks::{Mark, MarkGate};

/// Runs the inner service a second time if the first run fails.
struct Again;

impl<M: Message + Clone> Middleware<M> for Again {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        match next.run(msg.clone(), cx).await {
            Err(_) => next.run(msg, cx).await,
            answered => answered,
        }
    }
}

/// Fails when handled for the first time, and counts its validations.
#[derive(Clone, Default)]
struct Shaky(Arc<AtomicU32>, Arc<AtomicU32>);

impl Message for Shaky {
    const NAME: &'static str = "shaky";
    type Kind = Command;
    type Reply = u32;
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        self.1.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }
}

struct ShakyHandler;

impl Handler<Shaky> for ShakyHandler {
    async fn handle(&self, msg: Shaky, _cx: &Context<'_>) -> Result<u32, String> {
        match msg.0.fetch_add(1, Ordering::Relaxed) {
            0 => Err("the first time".into()),
            runs => Ok(runs),
        }
    }
}

#[test]
fn the_inner_service_can_run_again_and_validates_again() {
    let bus = CommandBus::builder()
        .wrap(Again)
        .register(ShakyHandler)
        .build()
        .expect("one name");
    let shaky = Shaky::default();
    assert_eq!(bus.execute_blocking(shaky.clone()), Ok(1));
    assert_eq!(shaky.1.load(Ordering::Relaxed), 2);
    let shaky = Shaky::default();
    assert_eq!(acts::ready(bus.execute(shaky.clone())), Some(Ok(1)));
    assert_eq!(shaky.1.load(Ordering::Relaxed), 2);
}

#[test]
fn each_run_of_the_inner_service_passes_its_layers_and_catches_its_panic() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Gated(MarkGate("out", steps.clone())))
        .wrap(Again)
        .wrap(Gated(MarkGate("in", steps.clone())))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    for outcome in each_lane(&bus, Act::Panic) {
        assert!(outcome.unwrap_err().is_panicked());
    }
    let run = "in> handle <in:panicked -in";
    let one = format!("out> {run} {run} <out:panicked -out");
    assert_eq!(steps.take(), format!("{one} {one}"));
    for outcome in each_lane(&bus, Act::Invalid) {
        assert!(outcome.unwrap_err().is_invalid());
    }
    let run = "in> <in:other -in";
    let one = format!("out> {run} {run} <out:other -out");
    assert_eq!(steps.take(), format!("{one} {one}"));
}

/// Replies to the message without calling the inner service.
struct Stub;

impl Middleware<Act> for Stub {
    async fn handle(&self, msg: Act, _cx: &Context<'_>, _next: &impl Next<Act>) -> Outcome<Act> {
        match msg {
            Act::Fail => Err(Rejection::new("stubbed"))?,
            _ => Ok(42),
        }
    }
}

#[test]
fn a_middleware_may_reply_without_its_inner_service() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Mark("out", steps.clone()))
        .wrap(Stub)
        .wrap(Mark("in", steps.clone()))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    assert_eq!(each_lane(&bus, Act::Panic), [Ok(42), Ok(42)]);
    let refused = || Err(Rejection::new("stubbed").into());
    assert_eq!(each_lane(&bus, Act::Fail), [refused(), refused()]);
    assert_eq!(steps.take(), ["out> <out"; 4].join(" "));
}

/// Changes the message, the reply and the error.
struct Change;

impl Middleware<Act> for Change {
    async fn handle(&self, msg: Act, cx: &Context<'_>, next: &impl Next<Act>) -> Outcome<Act> {
        let msg = match msg {
            Act::Answer(reply) => Act::Answer(reply * 10),
            other => other,
        };
        match next.run(msg, cx).await {
            Ok(reply) => Ok(reply + 1),
            Err(Error::Handler(error)) => Err(Error::Handler(format!("changed: {error}"))),
            Err(Error::Panicked { .. }) => Ok(0),
            Err(other) => Err(other),
        }
    }
}

#[test]
fn message_reply_and_error_can_be_changed() {
    let bus = CommandBus::builder()
        .wrap(Change)
        .register(Actor::default())
        .build()
        .expect("one name");
    assert_eq!(each_lane(&bus, Act::Answer(4)), [Ok(41), Ok(41)]);
    assert_eq!(each_lane(&bus, Act::Panic), [Ok(0), Ok(0)]);
    for outcome in each_lane(&bus, Act::Fail) {
        assert_eq!(outcome, Err(Error::Handler("changed: failed".into())));
    }
}

#[derive(Debug, PartialEq)]
struct Level(u32);

/// Runs the inner service in a derived context, one level deeper.
struct Deeper;

impl<M: Message> Middleware<M> for Deeper {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        let level = cx.get::<Level>().map_or(0, |level| level.0);
        next.run(msg, &cx.derive().with(Level(level + 1))).await
    }
}

#[test]
fn the_inner_service_can_run_in_a_derived_context() {
    let bus = CommandBus::builder()
        .wrap(Deeper)
        .wrap(Deeper)
        .register(from_fn(|_: Act, cx: &Context<'_>| {
            let level = cx.get::<Level>().ok_or("no level")?;
            let text = cx.get::<&str>().ok_or("no text")?;
            assert_eq!(*text, "from the caller");
            Ok(level.0)
        }))
        .build()
        .expect("one name");
    let cx = Context::new().with("from the caller").with(Level(5));
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(7), Ok(7)]);
    assert_eq!(cx.get::<Level>(), Some(&Level(5)));
}

/// Notes how long the inner service took, by its own context.
struct Timed(Steps);

impl<M: Message> Middleware<M> for Timed {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        cx.started();
        let outcome = next.run(msg, &cx.derive()).await;
        self.0.note(format!("{:?}", cx.elapsed()));
        outcome
    }
}

/// The inner service clears the end of its own context only, so a reading of the outer context
/// stays.
#[test]
fn a_derived_context_counts_from_the_start_of_its_dispatch() {
    let (steps, clock) = (Steps::default(), FakeClock::new());
    let time = clock.clone();
    let bus = CommandBus::builder()
        .clock(clock)
        .wrap(Timed(steps.clone()))
        .wrap(Timed(steps.clone()))
        .register(from_fn(move |_: Act, _cx: &Context<'_>| {
            time.advance(Duration::from_millis(3));
            Ok(1)
        }))
        .build()
        .expect("one name");
    assert_eq!(bus.execute_blocking(Act::Fail), Ok(1));
    assert_eq!(steps.take(), "3ms 3ms");
}

/// Starts the inner service, and drops its future after a poll.
struct Hesitant;

impl Middleware<Act> for Hesitant {
    async fn handle(&self, msg: Act, cx: &Context<'_>, next: &impl Next<Act>) -> Outcome<Act> {
        drop(next.run(msg, cx));
        next.run(msg, cx).await
    }
}

#[test]
fn an_inner_future_that_is_dropped_gives_its_permits_back() {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .wrap(Hesitant)
        .wrap(Gated(MarkGate("a", steps.clone())))
        .register(Actor(steps.clone()))
        .build()
        .expect("one name");
    assert_eq!(bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(steps.take(), "a> -a a> handle <a:ok -a");
}
