//! The circuit breaker around handlers, in both lanes of a bus.

mod states;

use std::fmt::Debug;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::Poll;
use std::time::Duration;

use arcbus::middleware::circuit_breaker::{Admission, CircuitBreaker, CircuitBreakerPolicy, State};
use arcbus::{
    CancelToken, Class, Command, CommandBus, Context, Error, FakeClock, Handler, LayerExt, Message,
    Outcome, Phase, RegistrationError, TimeLimit, from_fn,
};

use static_assertions::assert_impl_all;

use crate::acts::{Act, Actor, Steps, each_lane, layers, poll_once, ready};

const OPEN: Duration = Duration::from_secs(1);

assert_impl_all!(CircuitBreaker: Send, Sync, Unpin, Clone, Debug);
assert_impl_all!(CircuitBreakerPolicy: Send, Sync, Unpin, Debug);
assert_impl_all!(Admission<'_>: Send, Sync, Unpin, Debug);

/// A bus with a single route behind a breaker.
struct Guarded {
    bus: CommandBus,
    steps: Steps,
    clock: FakeClock,
    policy: Arc<CircuitBreakerPolicy>,
}

fn guarded(breaker: CircuitBreaker) -> Guarded {
    let (steps, clock, handles) = (Steps::default(), FakeClock::new(), breaker.handles());
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(breaker.open_for(OPEN))
        .register(Actor(steps.clone()))
        .build()
        .expect("in range");
    let policy = handles.get("act").expect("registered");
    Guarded {
        bus,
        steps,
        clock,
        policy,
    }
}

impl Guarded {
    fn opened(breaker: CircuitBreaker) -> Self {
        let guarded = guarded(breaker);
        let _ = each_lane(&guarded.bus, Act::Fail);
        assert_eq!(guarded.policy.state(), State::Open);
        guarded.steps.take();
        guarded
    }

    /// Returns the readings of the clock that [`each_lane`] costs.
    fn reads(&self, act: Act) -> [u64; 2] {
        let reads = |run: &dyn Fn()| {
            let before = self.clock.reads();
            run();
            self.clock.reads() - before
        };
        [
            reads(&|| drop(self.bus.execute_blocking(act))),
            reads(&|| drop(ready(self.bus.execute(act)))),
        ]
    }
}

fn consecutive() -> CircuitBreaker {
    CircuitBreaker::consecutive(2).half_open_probes(2)
}

fn refused(retry_after: Duration) -> Outcome<Act> {
    Err(Error::CircuitOpen { retry_after })
}

#[test]
fn a_breaker_opens_refuses_and_closes_in_each_lane() {
    let Guarded {
        bus, steps, clock, ..
    } = Guarded::opened(consecutive());
    assert_eq!(
        each_lane(&bus, Act::Answer(1)),
        [refused(OPEN), refused(OPEN)]
    );
    clock.advance(OPEN / 4);
    assert_eq!(bus.execute_blocking(Act::Answer(1)), refused(OPEN * 3 / 4));
    assert_eq!(steps.take(), "", "no handler ran");
    clock.advance(OPEN);
    assert_eq!(each_lane(&bus, Act::Answer(1)), [Ok(1), Ok(1)]);
    assert_eq!(each_lane(&bus, Act::Answer(2)), [Ok(2), Ok(2)]);
}

#[test]
fn a_panic_is_a_failure_and_an_invalid_message_does_not_count() {
    let guarded = guarded(consecutive());
    let _ = each_lane(&guarded.bus, Act::Invalid);
    assert_eq!(guarded.policy.reading().failures(), 0);
    let _ = each_lane(&guarded.bus, Act::Panic);
    assert_eq!(guarded.policy.state(), State::Open);
}

#[derive(Clone, Copy)]
struct Classified(Class);

impl Message for Classified {
    const NAME: &'static str = "classified";
    type Kind = Command;
    type Reply = ();
    type Error = String;

    fn classify(error: &String) -> Class {
        match error.as_str() {
            "permanent" => Class::Permanent,
            _ => Class::Transient,
        }
    }
}

struct Blames;

impl Handler<Classified> for Blames {
    async fn handle(&self, msg: Classified, _cx: &Context<'_>) -> Result<(), String> {
        let is_permanent = matches!(msg.0, Class::Permanent);
        Err(if is_permanent {
            "permanent"
        } else {
            "transient"
        }
        .into())
    }
}

#[test]
fn an_error_that_blames_the_message_is_a_success() {
    let breaker = CircuitBreaker::count_window(10);
    let handles = breaker.handles();
    let bus = CommandBus::builder()
        .layer(breaker)
        .register(Blames)
        .build()
        .expect("in range");
    let _ = each_lane(&bus, Classified(Class::Permanent));
    let _ = bus.execute_blocking(Classified(Class::Transient));
    let reading = handles.get("classified").expect("registered").reading();
    assert_eq!((reading.calls(), reading.failures()), (3, 1));
}

#[test]
fn a_probe_is_given_back_when_its_dispatch_is_dropped() {
    let guarded = Guarded::opened(consecutive().half_open_probes(1));
    guarded.clock.advance(OPEN);
    for polls in [0, 1, 2] {
        let mut dispatch = Box::pin(guarded.bus.execute(Act::Wait));
        for _ in 0..polls {
            assert!(poll_once(dispatch.as_mut()).is_pending());
            let other = guarded.bus.execute_blocking(Act::Answer(1));
            assert!(other.unwrap_err().is_circuit_open());
        }
    }
    assert_eq!(guarded.policy.state(), State::HalfOpen);
    assert_eq!(guarded.bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(guarded.policy.state(), State::Closed);
}

#[test]
fn a_probe_is_given_back_when_its_caller_gives_up() {
    let guarded = Guarded::opened(consecutive().half_open_probes(1));
    guarded.clock.advance(OPEN);
    let token = CancelToken::new();
    let stops: [(Context<'_>, &dyn Fn()); 2] = [
        (Context::new().timeout(OPEN / 2), &|| {
            guarded.clock.advance(OPEN / 2)
        }),
        (Context::new().cancel_on(token.clone()), &|| token.cancel()),
    ];
    for (limited, stop) in stops {
        let mut dispatch = Box::pin(guarded.bus.execute_with(Act::Wait, limited));
        assert!(poll_once(dispatch.as_mut()).is_pending());
        stop();
        let Poll::Ready(Err(error)) = poll_once(dispatch.as_mut()) else {
            panic!("it was stopped");
        };
        assert!(error.is_indeterminate());
        assert_eq!(guarded.policy.state(), State::HalfOpen);
        assert_eq!(guarded.policy.reading().calls(), 0);
    }
    assert_eq!(guarded.bus.execute_blocking(Act::Answer(1)), Ok(1));
    assert_eq!(guarded.policy.state(), State::Closed);
}

#[test]
fn a_probe_without_an_answer_is_given_back() {
    let guarded = Guarded::opened(consecutive().half_open_probes(1));
    guarded.clock.advance(OPEN);
    for _ in 0..3 {
        let invalid = guarded.bus.execute_blocking(Act::Invalid);
        assert!(invalid.unwrap_err().is_invalid());
    }
    assert_eq!(guarded.bus.execute_blocking(Act::Answer(1)), Ok(1));
}

#[derive(Clone, Default)]
struct Gate(Arc<AtomicBool>);

impl Message for Gate {
    const NAME: &'static str = "gate";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

/// A handler that waits until the gate in its message opens.
struct Waiter;

impl Handler<Gate> for Waiter {
    async fn handle(&self, msg: Gate, _cx: &Context<'_>) -> Result<(), String> {
        poll_fn(|_| match msg.0.load(Ordering::Relaxed) {
            true => Poll::Ready(Ok(())),
            false => Poll::Pending,
        })
        .await
    }
}

#[test]
fn a_late_success_does_not_close_a_reopened_breaker() {
    let breaker = consecutive().half_open_probes(1).shared();
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .layer(breaker)
        .register(Waiter)
        .register(Actor::default())
        .build()
        .expect("in range");
    let gate = Gate::default();
    let before = Box::pin(bus.execute(gate.clone()));
    let probe = Box::pin(bus.execute(gate.clone()));
    let mut late = [before, probe];
    assert!(poll_once(late[0].as_mut()).is_pending());
    let _ = each_lane(&bus, Act::Fail);
    clock.advance(Duration::from_secs(5));
    assert!(poll_once(late[1].as_mut()).is_pending(), "it is a probe");
    clock.advance(Duration::from_secs(30));
    let refused = |bus: &CommandBus| bus.execute_blocking(Act::Answer(1)).is_err();
    assert!(refused(&bus), "the probe hangs");
    gate.0.store(true, Ordering::Relaxed);
    for mut late in late {
        assert_eq!(poll_once(late.as_mut()), Poll::Ready(Ok(())));
        assert!(refused(&bus), "it closed");
    }
}

#[test]
fn an_inner_timeout_is_a_failure() {
    let verdict = |phase, limit| {
        let guarded = guarded(consecutive());
        let late = move || Error::Timeout {
            phase,
            elapsed: OPEN,
            limit,
        };
        let breaker = CircuitBreaker::consecutive(1);
        let handles = breaker.handles();
        let bus = CommandBus::builder()
            .layer(breaker)
            .wrap(Late(late()))
            .register(Actor(guarded.steps.clone()))
            .build()
            .expect("in range");
        let _ = bus.execute_blocking(Act::Answer(1));
        handles.get("act").expect("registered").state()
    };
    assert_eq!(verdict(Phase::Indeterminate, TimeLimit::Layer), State::Open);
    for (phase, limit) in [
        (Phase::Indeterminate, TimeLimit::Caller),
        (Phase::NotStarted, TimeLimit::Caller),
        (Phase::NotStarted, TimeLimit::Layer),
    ] {
        assert_eq!(verdict(phase, limit), State::Closed, "{phase:?} {limit:?}");
    }
}

/// A layer that replies with its own error.
struct Late(Error<String>);

impl arcbus::Middleware<Act> for Late {
    async fn handle(
        &self,
        _msg: Act,
        _cx: &Context<'_>,
        _next: &impl arcbus::Next<Act>,
    ) -> Outcome<Act> {
        Err(self.0.clone())
    }
}

#[derive(Clone, Copy)]
struct Takes(Duration);

impl Message for Takes {
    const NAME: &'static str = "takes";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

#[test]
fn slow_calls_open_a_breaker() {
    let clock = FakeClock::new();
    let hands = clock.clone();
    let breaker = CircuitBreaker::time_window(OPEN)
        .slow_calls(OPEN / 8, 1.0)
        .minimum_calls(2);
    let handles = breaker.handles();
    let bus = CommandBus::builder()
        .clock(clock)
        .layer(breaker)
        .register(from_fn(move |msg: Takes, _cx: &Context<'_>| {
            hands.advance(msg.0);
            Ok(())
        }))
        .build()
        .expect("in range");
    let _ = each_lane(&bus, Takes(OPEN / 9));
    let policy = handles.get("takes").expect("registered");
    assert_eq!((policy.reading().slow(), policy.reading().calls()), (0, 2));
    policy.reset();
    let _ = each_lane(&bus, Takes(OPEN / 8));
    assert_eq!(policy.state(), State::Open);
}

#[test]
fn a_breaker_reads_the_clock_only_when_needed() {
    let reads = |breaker, act| guarded(breaker).reads(act);
    let slow = |breaker: CircuitBreaker| breaker.slow_calls(OPEN, 1.0);
    let (count, time) = (
        CircuitBreaker::count_window(9),
        CircuitBreaker::time_window(OPEN),
    );
    for act in [Act::Answer(1), Act::Invalid] {
        assert_eq!(reads(consecutive(), act), [0, 0]);
        assert_eq!(reads(count.clone(), act), [0, 0]);
    }
    assert_eq!(
        reads(consecutive(), Act::Fail),
        [0, 1],
        "the second opens it"
    );
    assert_eq!(reads(count.clone(), Act::Fail), [0, 0]);
    for act in [Act::Answer(1), Act::Fail] {
        assert_eq!(reads(time.clone(), act), [1, 1]);
        assert_eq!(reads(slow(count.clone()), act), [2, 2]);
        assert_eq!(reads(slow(time.clone()), act), [2, 2]);
    }
    let open = Guarded::opened(consecutive());
    assert_eq!(open.reads(Act::Answer(1)), [1, 1]);
    open.policy.disable();
    assert_eq!(open.reads(Act::Answer(1)), [0, 0]);
    open.policy.force_open();
    assert_eq!(open.reads(Act::Answer(1)), [0, 0]);
}

#[test]
fn routes_share_a_breaker_on_request() {
    let breaker = consecutive();
    let handles = breaker.handles();
    let bus = CommandBus::builder()
        .layer(breaker.shared())
        .register(Actor::default())
        .register(Blames)
        .build()
        .expect("in range");
    assert_eq!(handles.all().len(), 1);
    let _ = bus.execute_blocking(Act::Fail);
    let _ = bus.execute_blocking(Classified(Class::Transient));
    assert!(
        bus.execute_blocking(Act::Answer(1))
            .unwrap_err()
            .is_circuit_open()
    );
    let other = bus.execute_blocking(Classified(Class::Transient));
    assert!(other.unwrap_err().is_circuit_open());
}

#[test]
fn each_route_has_its_own_breaker_otherwise() {
    let breaker = CircuitBreaker::consecutive(1);
    let handles = breaker.handles();
    let bus = CommandBus::builder()
        .layer(breaker)
        .register(Actor::default())
        .register(Blames)
        .build()
        .expect("in range");
    let _ = bus.execute_blocking(Act::Fail);
    let states = handles
        .all()
        .into_iter()
        .map(|(name, policy)| (name, policy.state()));
    let expected = [("act", State::Open), ("classified", State::Closed)];
    assert_eq!(states.collect::<Vec<_>>(), expected);
}

#[test]
fn a_running_breaker_is_controlled_by_its_handle() {
    let guarded = guarded(consecutive());
    guarded.policy.force_open();
    assert_eq!(guarded.bus.execute_blocking(Act::Answer(1)), refused(OPEN));
    guarded.policy.reset();
    let mut limits = guarded.policy.limits();
    limits.failures = 3;
    guarded.policy.set_limits(limits).expect("in range");
    let _ = each_lane(&guarded.bus, Act::Fail);
    assert_eq!(guarded.policy.state(), State::Closed);
    let _ = each_lane(&guarded.bus, Act::Fail);
    assert_eq!(guarded.policy.state(), State::Open);
}

#[test]
fn listeners_learn_the_name_of_the_route() {
    let told = Arc::new(Mutex::new(Vec::new()));
    let log = Arc::clone(&told);
    let guarded = Guarded::opened(consecutive().on_transition(move |change| {
        log.lock().expect("not poisoned").push(change.to_string());
    }));
    drop(guarded);
    assert_eq!(*told.lock().expect("not poisoned"), ["act: Closed to Open"]);
}

#[test]
fn a_breaker_is_listed_and_its_settings_are_checked() {
    let guarded = guarded(consecutive());
    assert_eq!(layers(&guarded.bus), ["CircuitBreaker"]);
    let refused = CommandBus::builder()
        .layer(CircuitBreaker::consecutive(0))
        .register(Actor::default())
        .build()
        .unwrap_err();
    let RegistrationError::InvalidSetting(invalid) = refused else {
        panic!("{refused}");
    };
    assert_eq!(invalid.field(), "CircuitBreaker.failures");
}
