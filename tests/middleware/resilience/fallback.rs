//! Fallbacks: the errors that are replaced, the replacements, and the source that is reported.

use std::future::{pending, poll_fn};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::Poll;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::fallback::{FallbackRecovery, Unavailable, Value, With};
use arcbus::middleware::{Fallback, Timeout};
use arcbus::{
    BusBuilder, CancelToken, Class, Command, CommandBus, Context, Error, ErrorKind, Facts,
    FakeClock, Handler, Layer, Message, Middleware, Next, Outcome, Phase, Query, QueryBus,
    Rejection, Source, TimeLimit, from_async_fn, from_fn,
};

use crate::acts::{Act, Actor, Noted, Steps, each_lane, each_lane_with, layers, poll_once, ready};

static_assertions::assert_impl_all!(
    Fallback<Value<u32>>: Layer<Act>, Send, Sync, Unpin, Clone, std::fmt::Debug
);
static_assertions::assert_impl_all!(
    FallbackRecovery<With<fn()>, Unavailable>: Send, Sync, Unpin, std::fmt::Debug
);

const SECOND: Duration = Duration::from_secs(1);

fn bus<L: Layer<Act>>(layer: L) -> (CommandBus, Steps) {
    let steps = Steps::default();
    let bus = CommandBus::builder()
        .layer(layer)
        .register(Actor(steps.clone()))
        .build();
    (bus.expect("one handler"), steps)
}

/// A layer that fails in the handler's place.
struct Fails(fn() -> Error<String>);

impl<M: Message<Error = String>> Middleware<M> for Fails {
    async fn handle(&self, _msg: M, _cx: &Context<'_>, _next: &impl Next<M>) -> Outcome<M> {
        Err((self.0)())
    }
}

/// Returns the outcomes of both lanes if the inner service fails with `error`.
fn failing<L: Layer<Act>>(layer: L, error: fn() -> Error<String>) -> [Outcome<Act>; 2] {
    let bus = CommandBus::builder()
        .layer(layer)
        .wrap(Fails(error))
        .register(Actor::default())
        .build()
        .expect("one handler");
    each_lane(&bus, Act::Wait)
}

#[test]
fn a_failure_is_replaced_and_a_reply_is_not() {
    let (bus, steps) = bus(Fallback::value(9));
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(9), Ok(9)]);
    assert_eq!(each_lane(&bus, Act::Panic), [Ok(9), Ok(9)]);
    assert_eq!(steps.take(), ["handle"; 6].join(" "));
}

#[test]
fn a_neutral_error_is_not_replaced() {
    type Case = (fn() -> Error<String>, bool);
    let cases: [Case; 15] = [
        (|| Error::Handler("down".into()), true),
        (|| Error::Panicked { message: "".into() }, true),
        (|| late(Phase::Indeterminate, TimeLimit::Layer), true),
        (|| late(Phase::Indeterminate, TimeLimit::Caller), false),
        (
            || Error::CircuitOpen {
                retry_after: SECOND,
            },
            true,
        ),
        (
            || Error::RateLimited {
                retry_after: SECOND,
            },
            true,
        ),
        (|| Error::Overloaded { limit: 1 }, true),
        (|| late(Phase::NotStarted, TimeLimit::Layer), true),
        (|| late(Phase::NotStarted, TimeLimit::Caller), false),
        (|| cancelled(Phase::NotStarted), false),
        (|| cancelled(Phase::Indeterminate), false),
        (|| Rejection::unauthenticated().into(), false),
        (|| Error::WouldDeadlock { advice: "" }, false),
        (|| Error::InDoubt, false),
        (not_found, false),
    ];
    for (error, replaced) in cases {
        let expected = || if replaced { Ok(9) } else { Err(error()) };
        let outcomes = failing(Fallback::value(9), error);
        assert_eq!(outcomes, [expected(), expected()], "{:?}", error());
    }
    let (bus, _) = bus(Fallback::value(9));
    for outcome in each_lane(&bus, Act::Invalid) {
        assert!(outcome.unwrap_err().is_invalid());
    }
}

fn late(phase: Phase, limit: TimeLimit) -> Error<String> {
    let elapsed = SECOND;
    Error::Timeout {
        phase,
        elapsed,
        limit,
    }
}

fn cancelled(phase: Phase) -> Error<String> {
    Error::Cancelled { phase }
}

fn not_found() -> Error<String> {
    let message = arcbus::MessageType::of::<Act>();
    Error::HandlerNotFound { message }
}

/// A message whose handler's error has this class.
#[derive(Clone)]
struct Find(Class);

impl Message for Find {
    const NAME: &'static str = "find";
    type Kind = Query;
    type Reply = u32;
    type Error = Missing;

    fn classify(error: &Missing) -> Class {
        error.0
    }
}

#[derive(Debug, PartialEq)]
struct Missing(Class);

impl std::fmt::Display for Missing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("missing")
    }
}

#[test]
fn a_permanent_error_is_an_answer() {
    let bus = QueryBus::builder()
        .scope(|s| {
            s.layer(Fallback::value(9))
                .register(from_fn(|msg: Find, _: &Context<'_>| Err(Missing(msg.0))))
        })
        .build()
        .expect("one handler");
    let permanent = Err(Error::Handler(Missing(Class::Permanent)));
    assert_eq!(bus.execute_blocking(Find(Class::Permanent)), permanent);
    assert_eq!(bus.execute_blocking(Find(Class::Transient)), Ok(9));
    assert_eq!(bus.execute_blocking(Find(Class::Unclassified)), Ok(9));
}

#[test]
fn a_closure_chooses_the_replaced_errors() {
    let only_invalid = || Fallback::value(9).when(|error: &Error<String>| error.is_invalid());
    let (bus, _) = bus(only_invalid());
    assert_eq!(each_lane(&bus, Act::Invalid), [Ok(9), Ok(9)]);
    let failed = Err(Error::Handler("failed".to_owned()));
    assert_eq!(each_lane(&bus, Act::Fail), [failed.clone(), failed]);
    let refused = || Rejection::unauthenticated().into();
    let outcomes = failing(only_invalid(), refused);
    assert_eq!(outcomes, [Err(refused()), Err(refused())]);
}

#[test]
fn a_closure_sees_error_and_message_and_may_decline() {
    let substitute = |error: &Error<String>, msg: &Act| match (error, msg) {
        (Error::Handler(text), Act::Fail) => Some(text.len() as u32),
        _ => None,
    };
    let (bus, _) = bus(Fallback::with(substitute));
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(6), Ok(6)]);
    for outcome in each_lane(&bus, Act::Panic) {
        assert!(outcome.unwrap_err().is_panicked());
    }
}

#[test]
fn another_handler_gets_the_message_and_its_error_is_the_outcome() {
    let replica = from_fn(|msg: Act, _: &Context<'_>| match msg {
        Act::Fail => Ok(7),
        Act::Panic => panic!("the replica, too"),
        _ => Err("the replica is down".to_owned()),
    });
    let layer = Fallback::handler(replica).when(|_: &Error<String>| true);
    let (bus, _) = bus(layer.clone());
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(7), Ok(7)]);
    for outcome in each_lane(&bus, Act::Panic) {
        let Err(Error::Panicked { message }) = outcome else {
            panic!("caught as a handler's");
        };
        assert_eq!(&*message, "the replica, too");
    }
    let down = Err(Error::Handler("the replica is down".to_owned()));
    let outcomes = failing(layer, || Error::Overloaded { limit: 1 });
    assert_eq!(outcomes, [down.clone(), down]);
    for outcome in each_lane(&bus, Act::Invalid) {
        assert!(outcome.unwrap_err().is_invalid(), "checked there, too");
    }
}

#[test]
fn panics_of_user_code_become_errors() {
    type Ask = fn(&Error<String>, &Act) -> Option<u32>;
    let panicking: Ask = |_, _| panic!("in the closure");
    let (with, _) = bus(Fallback::with(panicking));
    let (when, _) = bus(Fallback::value(1).when(|_: &Error<String>| panic!("in the choice")));
    for (bus, text) in [(with, "in the closure"), (when, "in the choice")] {
        for outcome in each_lane(&bus, Act::Fail) {
            let Err(Error::Panicked { message }) = outcome else {
                panic!("it panics");
            };
            assert_eq!(&*message, text);
        }
        assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    }
}

/// A reply that counts its copies, and whose copy panics if it is fragile.
struct Copied {
    copies: Arc<AtomicUsize>,
    fragile: bool,
}

impl Clone for Copied {
    fn clone(&self) -> Self {
        assert!(!self.fragile, "fragile");
        self.copies.fetch_add(1, Ordering::Relaxed);
        let copies = Arc::clone(&self.copies);
        Self { copies, ..*self }
    }
}

/// A message that cannot be copied.
struct Load {
    fails: bool,
}

impl Message for Load {
    const NAME: &'static str = "load";
    type Kind = Query;
    type Reply = Copied;
    type Error = String;
}

fn load(msg: Load) -> Result<Copied, String> {
    match msg.fails {
        true => Err("no".into()),
        false => Ok(Copied {
            copies: Arc::default(),
            fragile: false,
        }),
    }
}

#[test]
fn a_fixed_reply_copies_no_message_and_is_cloned_only_when_used() {
    for fragile in [false, true] {
        let copies = Arc::new(AtomicUsize::new(0));
        let value = Copied {
            copies: Arc::clone(&copies),
            fragile,
        };
        let bus = QueryBus::builder()
            .layer(Fallback::value(value))
            .register(from_fn(|msg: Load, _: &Context<'_>| load(msg)))
            .build()
            .expect("one handler");
        assert!(bus.execute_blocking(Load { fails: false }).is_ok());
        assert!(
            ready(bus.execute(Load { fails: false }))
                .expect("at once")
                .is_ok()
        );
        assert_eq!(copies.load(Ordering::Relaxed), 0);
        let outcomes = [
            bus.execute_blocking(Load { fails: true }),
            ready(bus.execute(Load { fails: true })).expect("at once"),
        ];
        for outcome in outcomes {
            assert_eq!(outcome.is_ok(), !fragile);
            assert!(outcome.err().is_none_or(|error| error.is_panicked()));
        }
        assert_eq!(copies.load(Ordering::Relaxed), if fragile { 0 } else { 2 });
    }
}

#[test]
fn metrics_tell_a_substitute_from_a_reply() {
    let metrics = Metrics::new();
    let declines = |_: &Error<String>, msg: &Act| (*msg == Act::Fail).then_some(1);
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .layer(Fallback::with(declines))
        .register(Actor::default())
        .build()
        .expect("one handler");
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(1), Ok(1)]);
    assert!(each_lane(&bus, Act::Panic).iter().all(Result::is_err));
    let snapshot = metrics.snapshot();
    let act = snapshot.route("act").expect("registered");
    assert_eq!((act.count(), act.replies(), act.failed()), (6, 4, 2));
    assert_eq!(act.replies_from(Source::Fallback), 2);
    assert_eq!(act.replies_from(Source::Handler), 2);
}

#[test]
fn a_replica_works_as_a_fallback_and_a_failing_replica_does_not() {
    let metrics = Metrics::new();
    let replica = from_fn(|msg: Act, _: &Context<'_>| match msg {
        Act::Fail => Ok(1),
        _ => Err("down".to_owned()),
    });
    let bus = CommandBus::builder()
        .layer(metrics.layer())
        .layer(Fallback::handler(replica))
        .register(Actor::default())
        .build()
        .expect("one handler");
    assert_eq!(each_lane(&bus, Act::Fail), [Ok(1), Ok(1)]);
    assert!(each_lane(&bus, Act::Panic).iter().all(Result::is_err));
    let snapshot = metrics.snapshot();
    let act = snapshot.route("act").expect("registered");
    assert_eq!(act.replies_from(Source::Fallback), 2);
    assert_eq!(act.replies(), 2);
}

/// A handler that waits for two polls, and then fails.
struct Wavers(Steps);

impl Handler<Act> for Wavers {
    async fn handle(&self, _msg: Act, _cx: &Context<'_>) -> Result<u32, String> {
        let _gone = Noted(self.0.clone(), "gone".into());
        twice().await;
        Err("after all".into())
    }
}

async fn twice() {
    let mut left = 2;
    poll_fn(|task| match left {
        0 => Poll::Ready(()),
        _ => {
            left -= 1;
            task.waker().wake_by_ref();
            Poll::Pending
        }
    })
    .await;
}

/// Builds a bus whose handler fails after two waits, with a replica that replies after two waits.
fn wavering() -> (CommandBus, Steps) {
    let steps = Steps::default();
    let note = steps.clone();
    let replica =
        arcbus::from_async_fn_with(note, async |note: &Steps, _: Act, _: &Context<'_>| {
            let _gone = Noted(note.clone(), "replica-gone".into());
            twice().await;
            Ok::<u32, String>(5)
        });
    let bus = CommandBus::builder()
        .layer(Fallback::handler(replica))
        .register(Wavers(steps.clone()))
        .build();
    (bus.expect("one handler"), steps)
}

#[test]
fn both_handlers_may_wait_in_both_lanes() {
    let (bus, steps) = wavering();
    assert_eq!(bus.execute_blocking(Act::Wait), Ok(5));
    let mut dispatch = Box::pin(bus.execute(Act::Wait));
    for _ in 0..4 {
        assert!(poll_once(dispatch.as_mut()).is_pending());
    }
    assert_eq!(poll_once(dispatch.as_mut()), Poll::Ready(Ok(5)));
    assert_eq!(steps.take(), "gone replica-gone gone replica-gone");
}

#[test]
fn a_dispatch_dropped_at_any_wait_drops_its_running_handler() {
    for polls in 0..=4 {
        let (bus, steps) = wavering();
        let mut dispatch = Box::pin(bus.execute(Act::Wait));
        for _ in 0..polls {
            assert!(poll_once(dispatch.as_mut()).is_pending());
        }
        drop(dispatch);
        let expected = match polls {
            0 => "",
            1 | 2 => "gone",
            _ => "gone replica-gone",
        };
        assert_eq!(steps.take(), expected, "after {polls} polls");
    }
}

#[test]
fn the_callers_token_stops_the_replica() {
    let (bus, steps) = wavering();
    let token = CancelToken::new();
    let cx = Context::new().cancel_on(token.clone());
    let mut dispatch = Box::pin(bus.execute_with(Act::Wait, cx));
    for _ in 0..3 {
        assert!(poll_once(dispatch.as_mut()).is_pending());
    }
    token.cancel();
    let stopped = Err(cancelled(Phase::Indeterminate));
    assert_eq!(poll_once(dispatch.as_mut()), Poll::Ready(stopped));
    assert_eq!(steps.take(), "gone replica-gone");
}

/// Builds a bus whose handler runs `meanwhile` and fails, and whose replica notes its run.
fn meanwhile(
    clock: &FakeClock,
    meanwhile: impl Fn() + Send + Sync + 'static,
) -> (CommandBus, Steps) {
    let steps = Steps::default();
    let note = steps.clone();
    let replica = from_fn(move |_: Act, _: &Context<'_>| {
        note.note("replica");
        Ok::<u32, String>(5)
    });
    let handler = from_fn(move |_: Act, _: &Context<'_>| {
        meanwhile();
        Err::<u32, _>("down".to_owned())
    });
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(Fallback::handler(replica))
        .register(handler)
        .build();
    (bus.expect("one handler"), steps)
}

#[test]
fn no_replica_is_asked_after_the_caller_has_gone() {
    let clock = FakeClock::new();
    let down = || Err(Error::Handler("down".to_owned()));
    let later = clock.clone();
    let (bus, steps) = meanwhile(&clock, move || later.advance(SECOND));
    let cx = Context::new().timeout(SECOND);
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [down(), down()]);
    assert_eq!(steps.take(), "");
    let cx = Context::new().timeout(SECOND * 2);
    assert_eq!(each_lane_with(&bus, Act::Fail, &cx), [Ok(5), Ok(5)]);
    assert_eq!(steps.take(), "replica replica");

    let token = CancelToken::new();
    let canceller = token.clone();
    let (bus, steps) = meanwhile(&clock, move || canceller.cancel());
    let cx = Context::new().cancel_on(token);
    assert_eq!(bus.execute_blocking_with(Act::Fail, cx), down());
    assert_eq!(steps.take(), "");
}

fn timed<S: arcbus::Stack<Act>>(builder: BusBuilder<Command, S>) -> Outcome<Act> {
    builder
        .layer(Timeout::new(Duration::from_millis(1)))
        .register(from_async_fn(async |_: Act, _: &Context<'_>| {
            pending::<Result<u32, String>>().await
        }))
        .build()
        .expect("in range")
        .execute_blocking(Act::Wait)
}

#[test]
fn a_timed_out_handler_is_replaced() {
    assert!(timed(CommandBus::builder()).unwrap_err().is_timeout());
    let slow = timed(CommandBus::builder().layer(Fallback::value(9)));
    assert_eq!(slow, Ok(9));
}

#[test]
fn a_fallback_switched_off_does_nothing() {
    let (off, _) = bus(None::<Fallback<Value<u32>>>);
    let failed = || Err(Error::Handler("failed".to_owned()));
    assert_eq!(each_lane(&off, Act::Fail), [failed(), failed()]);
    assert!(layers(&off).is_empty());
    let (on, _) = bus(Some(Fallback::value(9)));
    assert_eq!(each_lane(&on, Act::Fail), [Ok(9), Ok(9)]);
    assert_eq!(layers(&on), ["Fallback"]);
}

#[test]
fn a_fallback_states_its_facts() {
    let facts = |note: &str| Facts::new().fails_with(ErrorKind::Panicked).note(note);
    let always = [
        ErrorKind::QueueTimeout,
        ErrorKind::Timeout,
        ErrorKind::CircuitOpen,
        ErrorKind::RateLimited,
        ErrorKind::Overloaded,
        ErrorKind::Panicked,
        ErrorKind::Transient,
        ErrorKind::Unclassified,
    ];
    let always = always.into_iter().fold(facts("a value"), Facts::replaces);
    assert_eq!(Layer::<Act>::facts(&Fallback::value(9)), always);
    let seldom = Fallback::value(9).when(|error: &Error<String>| error.is_circuit_open());
    assert_eq!(Layer::<Act>::facts(&seldom), facts("a value"));
    let with = Fallback::with(|_: &Error<String>, _: &Act| None);
    assert_eq!(Layer::<Act>::facts(&with), facts("a closure"));
    let handler = Fallback::handler::<Act>(Actor::default());
    assert_eq!(
        Layer::<Act>::facts(&handler),
        facts("a handler").waits(Duration::MAX)
    );
}

#[test]
fn a_command_that_may_have_acted_is_not_sent_to_the_fallback() {
    let replica = Steps::default();
    let (bus, _) = bus(Fallback::handler(Actor(replica.clone())));
    for outcome in each_lane(&bus, Act::Panic) {
        assert!(outcome.unwrap_err().is_panicked());
    }
    assert_eq!(replica.take(), "");
    let chosen = Fallback::handler(from_fn(|_: Act, _: &Context<'_>| Ok(9)));
    let (bus, _) = self::bus(chosen.when(|error: &Error<String>| error.is_panicked()));
    assert_eq!(each_lane(&bus, Act::Panic), [Ok(9), Ok(9)]);
}
