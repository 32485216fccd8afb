//! Guarantees that hold for any handler: with panics, deadlines, swaps and drops.

use std::future::pending;
use std::panic::panic_any;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context as Task, Waker};
use std::time::{Duration, Instant};

use arcbus::{
    CancelToken, Command, CommandBus, Context, Error, FakeClock, Handler, Message, NoLayers, Phase,
    Registrar, RegistrationError, TimeLimit, Violations, from_fn,
};

/// The action of the handler of a [`Do`].
#[derive(Clone, Copy, Debug, PartialEq)]
enum Act {
    Answer,
    Fail,
    Panic,
    PanicInDrop,
    Wait,
    Invalid,
}

struct Do(Act);

impl Message for Do {
    const NAME: &'static str = "do";
    type Kind = Command;
    type Reply = u32;
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if self.0 == Act::Invalid {
            violations.add("act", "valid", "must be valid");
            violations.add("act", "known", "must be known");
        }
        violations.into_result()
    }
}

/// Counts its runs and its futures that are alive.
#[derive(Clone, Default)]
struct Actor {
    runs: Arc<AtomicUsize>,
    alive: Arc<AtomicUsize>,
}

struct Alive(Arc<AtomicUsize>);

impl Drop for Alive {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

struct Bomb;

impl Drop for Bomb {
    fn drop(&mut self) {
        panic!("the payload's drop");
    }
}

impl Handler<Do> for Actor {
    async fn handle(&self, msg: Do, _cx: &Context<'_>) -> Result<u32, String> {
        self.runs.fetch_add(1, Ordering::SeqCst);
        self.alive.fetch_add(1, Ordering::SeqCst);
        let _alive = Alive(Arc::clone(&self.alive));
        match msg.0 {
            Act::Answer | Act::Invalid => Ok(1),
            Act::Fail => Err("failed".into()),
            Act::Panic => panic!("on purpose"),
            Act::PanicInDrop => panic_any(Bomb),
            Act::Wait => pending().await,
        }
    }
}

fn actor_bus() -> (CommandBus, Actor) {
    let actor = Actor::default();
    let bus = CommandBus::builder()
        .register(actor.clone())
        .build()
        .expect("one name");
    (bus, actor)
}

fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

#[test]
fn a_panic_is_an_error_and_the_route_goes_on() {
    let (bus, actor) = actor_bus();
    let error = bus.execute_blocking(Do(Act::Panic)).unwrap_err();
    assert_eq!(
        error,
        Error::Panicked {
            message: "on purpose".into()
        }
    );
    assert!(
        block(bus.execute(Do(Act::Panic)))
            .unwrap_err()
            .is_panicked()
    );
    assert!(
        bus.execute_blocking(Do(Act::PanicInDrop))
            .unwrap_err()
            .is_panicked()
    );
    assert_eq!(bus.execute_blocking(Do(Act::Answer)), Ok(1));
    assert_eq!(actor.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn an_invalid_message_names_every_violation_and_is_not_handled() {
    let (bus, actor) = actor_bus();
    let Err(Error::Invalid(violations)) = bus.execute_blocking(Do(Act::Invalid)) else {
        panic!("it is invalid");
    };
    assert_eq!(violations.len(), 2);
    assert_eq!(actor.runs.load(Ordering::SeqCst), 0);
}

#[test]
fn a_handler_error_keeps_its_type() {
    let (bus, _) = actor_bus();
    assert_eq!(
        bus.execute_blocking(Do(Act::Fail)),
        Err(Error::Handler("failed".to_owned()))
    );
}

#[test]
fn a_late_or_cancelled_dispatch_does_not_run() {
    let (bus, actor) = actor_bus();
    let token = CancelToken::new();
    token.cancel();
    let late = Context::new().timeout(Duration::ZERO);
    let past = Context::new().deadline(Instant::now() - Duration::from_secs(1));
    let cancelled = Context::new().cancel_on(token);
    let outcome = bus.execute_blocking_with(Do(Act::Answer), late);
    assert!(matches!(
        outcome,
        Err(Error::Timeout {
            phase: Phase::NotStarted,
            ..
        })
    ));
    let outcome = block(bus.execute_with(Do(Act::Answer), past));
    assert!(matches!(
        outcome,
        Err(Error::Timeout {
            phase: Phase::NotStarted,
            ..
        })
    ));
    let outcome = bus.execute_blocking_with(Do(Act::Answer), cancelled);
    assert_eq!(
        outcome,
        Err(Error::Cancelled {
            phase: Phase::NotStarted
        })
    );
    assert_eq!(actor.runs.load(Ordering::SeqCst), 0);
}

#[test]
fn a_deadline_drops_a_waiting_handler_in_both_lanes() {
    let (bus, actor) = actor_bus();
    let cx = Context::new().timeout(Duration::from_millis(5));
    for outcome in [
        bus.execute_blocking_with(Do(Act::Wait), cx.clone()),
        block(bus.execute_with(Do(Act::Wait), cx)),
    ] {
        let Err(Error::Timeout {
            phase: Phase::Indeterminate,
            elapsed,
            limit: TimeLimit::Caller,
        }) = outcome
        else {
            panic!("it waits for ever: {outcome:?}");
        };
        assert!(elapsed >= Duration::from_millis(5));
    }
    assert_eq!(actor.runs.load(Ordering::SeqCst), 2);
    assert_eq!(actor.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_fake_clock_drives_the_deadline() {
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(Actor::default())
        .build()
        .expect("one");
    let mut task = Task::from_waker(Waker::noop());
    let cx = Context::new().timeout(Duration::from_secs(30));
    let mut future = pin!(bus.execute_with(Do(Act::Wait), cx));
    assert!(future.as_mut().poll(&mut task).is_pending());
    clock.advance(Duration::from_secs(29));
    assert!(future.as_mut().poll(&mut task).is_pending());
    clock.advance(Duration::from_secs(1));
    assert!(future.as_mut().poll(&mut task).is_ready());
}

#[test]
fn a_stack_without_time_limits_reads_no_clock() {
    let clock = FakeClock::new();
    let bus = CommandBus::builder()
        .clock(clock.clone())
        .register(Actor::default())
        .build()
        .expect("one");
    assert_eq!(bus.execute_blocking(Do(Act::Answer)), Ok(1));
    assert_eq!(block(bus.execute(Do(Act::Answer))), Ok(1));
    assert_eq!(clock.reads(), 0);
}

#[test]
fn cancelling_drops_a_waiting_handler() {
    let (bus, actor) = actor_bus();
    let token = CancelToken::new();
    let outcome = std::thread::scope(|scope| {
        let cx = Context::new().cancel_on(token.clone());
        let waiting = scope.spawn(|| bus.execute_blocking_with(Do(Act::Wait), cx));
        while actor.runs.load(Ordering::SeqCst) == 0 {
            std::thread::yield_now();
        }
        token.cancel();
        waiting.join().expect("no panic")
    });
    assert_eq!(
        outcome,
        Err(Error::Cancelled {
            phase: Phase::Indeterminate
        })
    );
    assert_eq!(actor.alive.load(Ordering::SeqCst), 0);
}

#[test]
fn a_dispatch_starts_at_its_first_poll_and_drops_its_handler_when_dropped() {
    let (bus, actor) = actor_bus();
    drop(bus.execute(Do(Act::Wait)));
    assert_eq!(actor.runs.load(Ordering::SeqCst), 0);
    {
        let mut future = pin!(bus.execute(Do(Act::Wait)));
        assert!(
            future
                .as_mut()
                .poll(&mut Task::from_waker(Waker::noop()))
                .is_pending()
        );
        assert_eq!(actor.alive.load(Ordering::SeqCst), 1);
    }
    assert_eq!(actor.alive.load(Ordering::SeqCst), 0);
}

/// A handler that replies with its version and reports its drop.
struct Version(u32, Arc<AtomicUsize>);

impl Handler<Do> for Version {
    async fn handle(&self, msg: Do, _cx: &Context<'_>) -> Result<u32, String> {
        if msg.0 == Act::Wait {
            pending::<()>().await;
        }
        Ok(self.0)
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        self.1.fetch_add(1, Ordering::SeqCst);
    }
}

type Opened = (CommandBus, Registrar<Command, NoLayers>, Arc<AtomicUsize>);

fn versions() -> Opened {
    let drops = Arc::new(AtomicUsize::new(0));
    let version = Version(1, Arc::clone(&drops));
    let (bus, registrar) = CommandBus::builder()
        .register(version)
        .open()
        .expect("one name");
    (bus, registrar, drops)
}

#[test]
fn every_handle_follows_a_replace_and_reports_a_deregister() {
    let (bus, registrar, drops) = versions();
    let (mut local, mut route) = (bus.local(), bus.route::<Do>().expect("registered"));
    for (replace, expected) in [(false, 1), (true, 2)] {
        if replace {
            let _ = registrar
                .replace(Version(2, Arc::clone(&drops)))
                .expect("registered");
        }
        assert_eq!(bus.execute_blocking(Do(Act::Answer)), Ok(expected));
        assert_eq!(local.execute_blocking(Do(Act::Answer)), Ok(expected));
        assert_eq!(route.execute_blocking(Do(Act::Answer)), Ok(expected));
    }
    let _ = registrar.deregister::<Do>().expect("registered");
    assert!(
        bus.execute_blocking(Do(Act::Answer))
            .unwrap_err()
            .is_handler_not_found()
    );
    assert!(
        local
            .execute_blocking(Do(Act::Answer))
            .unwrap_err()
            .is_handler_not_found()
    );
    assert!(
        route
            .execute_blocking(Do(Act::Answer))
            .unwrap_err()
            .is_handler_not_found()
    );
}

#[test]
fn a_retired_handler_is_drained_after_its_last_use() {
    let (bus, registrar, drops) = versions();
    let mut local = bus.local();
    let mut route = bus.route::<Do>().expect("registered");
    let mut future = Box::pin(bus.execute(Do(Act::Wait)));
    assert!(
        future
            .as_mut()
            .poll(&mut Task::from_waker(Waker::noop()))
            .is_pending()
    );

    let retired = registrar
        .replace(Version(2, Arc::clone(&drops)))
        .expect("registered");
    assert!(!retired.is_drained());
    local.refresh();
    assert!(!retired.wait_timeout(Duration::from_millis(5)));
    drop(future);
    assert!(!retired.is_drained(), "the route has not moved on");
    assert_eq!(route.execute_blocking(Do(Act::Answer)), Ok(2));
    assert_eq!(drops.load(Ordering::SeqCst), 0, "a reader frees nothing");
    retired.wait();
    assert_eq!(drops.load(Ordering::SeqCst), 1);
    block(async {
        registrar
            .deregister::<Do>()
            .expect("registered")
            .wait_timeout(Duration::ZERO)
    });
}

#[test]
fn a_handler_may_replace_itself_and_dispatch_again() {
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    let (inner, again) = (registrar.clone(), bus.clone());
    registrar
        .register(from_fn(move |_: Do, cx: &Context<'_>| {
            let next = from_fn(|_: Do, _cx: &Context<'_>| Ok(2));
            let _ = inner
                .replace::<Do, _>(next)
                .map_err(|error| error.to_string())?;
            again
                .execute_blocking_in(cx, Do(Act::Answer))
                .map_err(|error| error.to_string())
        }))
        .expect("new");
    assert_eq!(bus.execute_blocking(Do(Act::Answer)), Ok(2));
    // The handler holds its own bus, so neither is freed before the retired handler is reclaimed.
    registrar.reclaim();
}

struct Named<const N: usize>;

impl<const N: usize> Message for Named<N> {
    const NAME: &'static str = ["", "same", "same", "other"][N];
    type Kind = Command;
    type Reply = usize;
    type Error = String;
}

struct Answers;

impl<const N: usize> Handler<Named<N>> for Answers {
    async fn handle(&self, _msg: Named<N>, _cx: &Context<'_>) -> Result<usize, String> {
        Ok(N)
    }
}

#[test]
fn bad_registrations_change_nothing() {
    let (bus, registrar) = CommandBus::builder()
        .register::<Named<1>, _>(Answers)
        .open()
        .expect("one name");
    let duplicate = registrar.register::<Named<1>, _>(Answers).unwrap_err();
    assert!(
        matches!(duplicate, RegistrationError::Duplicate { .. }),
        "{duplicate}"
    );
    let empty = registrar.register::<Named<0>, _>(Answers).unwrap_err();
    assert!(
        matches!(empty, RegistrationError::EmptyName { .. }),
        "{empty}"
    );
    let clash = registrar.register::<Named<2>, _>(Answers).unwrap_err();
    assert!(
        matches!(clash, RegistrationError::NameClash { .. }),
        "{clash}"
    );
    let refused = registrar.update(|batch| {
        batch
            .register::<Named<3>, _>(Answers)
            .register::<Named<2>, _>(Answers);
    });
    assert_eq!(refused.unwrap_err(), clash);
    assert_eq!(bus.routes().len(), 1);
    let _ = registrar
        .update(|batch| {
            batch
                .deregister::<Named<1>>()
                .register::<Named<2>, _>(Answers);
        })
        .expect("the name is free by then");
    assert_eq!(bus.execute_blocking(Named::<2>), Ok(2));
    let zero = CommandBus::builder().capacity(0).build().unwrap_err();
    assert!(matches!(
        zero,
        RegistrationError::InvalidSetting(invalid) if invalid.field() == "capacity"
    ));
}

#[test]
fn nested_dispatches_go_deeper_than_the_snapshot_slots() {
    struct Down(u32);
    impl Message for Down {
        const NAME: &'static str = "down";
        type Kind = Command;
        type Reply = u32;
        type Error = String;
    }
    let (bus, registrar) = CommandBus::builder().open().expect("empty");
    let inner = bus.clone();
    registrar
        .register(from_fn(move |msg: Down, cx: &Context<'_>| match msg.0 {
            0 => Ok(0),
            depth => inner
                .execute_blocking_in(cx, Down(depth - 1))
                .map(|below| below + 1)
                .map_err(|error| error.to_string()),
        }))
        .expect("new");
    assert_eq!(bus.execute_blocking(Down(20)), Ok(20));
}

#[test]
fn a_batch_answers_in_order() {
    let (bus, _) = actor_bus();
    let acts = (0..200).map(|index| {
        Do(if index % 3 == 0 {
            Act::Fail
        } else {
            Act::Answer
        })
    });
    let outcomes = block(bus.execute_batch(acts.collect::<Vec<_>>()));
    assert_eq!(outcomes.len(), 200);
    for (index, outcome) in outcomes.iter().enumerate() {
        assert_eq!(outcome.is_err(), index % 3 == 0);
    }
}
