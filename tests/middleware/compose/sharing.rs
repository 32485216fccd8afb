//! Instances of a layer: shared by several routes, scopes and buses, and separate for plain clones.

use std::future::pending;
use std::pin::pin;
use std::time::Duration;

use arcbus::middleware::{Bulkhead, CircuitBreaker, RateLimit, Timeout, Validation};
use arcbus::{
    BusBuilder, Command, CommandBus, Context, Error, FakeClock, Handler, LayerExt, Layers, Message,
    NoLayers, Query, QueryBus, RegistrationError, guard, static_bus,
};

use crate::acts::{poll_once, ready};

/// The action of the handler, which fails, waits or replies.
#[derive(Clone, Copy)]
enum Do {
    Answer,
    Fail,
    Wait,
}

macro_rules! message {
    ($message:ident, $name:literal, $kind:ty) => {
        struct $message(Do);

        impl Message for $message {
            const NAME: &'static str = $name;
            type Kind = $kind;
            type Reply = u32;
            type Error = String;
        }
    };
}

message!(Pay, "pay", Command);
message!(Refund, "refund", Command);
message!(Balance, "balance", Query);

struct Bank;

macro_rules! handler {
    ($($message:ident),*) => {$(
        impl Handler<$message> for Bank {
            async fn handle(&self, msg: $message, _cx: &Context<'_>) -> Result<u32, String> {
                act(msg.0).await
            }
        }
    )*};
}

handler!(Pay, Refund, Balance);

async fn act(what: Do) -> Result<u32, String> {
    match what {
        Do::Answer => Ok(1),
        Do::Fail => Err("failed".into()),
        Do::Wait => pending().await,
    }
}

fn commands(clock: &FakeClock) -> BusBuilder<Command, NoLayers> {
    CommandBus::builder().clock(clock.clone())
}

fn queries(clock: &FakeClock) -> BusBuilder<Query, NoLayers> {
    QueryBus::builder().clock(clock.clone())
}

/// Returns the outcomes of a message in both lanes.
macro_rules! lanes {
    ($bus:expr, $msg:expr) => {
        [
            $bus.execute_blocking($msg),
            ready($bus.execute($msg)).expect("it does not wait"),
        ]
    };
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::consecutive(2).open_for(Duration::from_secs(10))
}

fn is_open(outcome: &Result<u32, Error<String>>) -> bool {
    matches!(outcome, Err(Error::CircuitOpen { .. }))
}

fn is_full(outcome: &Result<u32, Error<String>>) -> bool {
    matches!(outcome, Err(Error::Overloaded { .. }))
}

#[test]
fn a_shared_bulkhead_counts_across_two_buses() {
    let clock = FakeClock::new();
    let bank = Bulkhead::new(1).shared();
    let pays = commands(&clock)
        .layer(bank.clone())
        .register::<Pay, _>(Bank)
        .build()
        .expect("one");
    let balances = queries(&clock)
        .layer(bank)
        .register::<Balance, _>(Bank)
        .build()
        .expect("two");
    {
        let mut waits = pin!(pays.execute(Pay(Do::Wait)));
        assert!(poll_once(waits.as_mut()).is_pending());
        assert!(lanes!(balances, Balance(Do::Answer)).iter().all(is_full));
        assert!(lanes!(pays, Pay(Do::Answer)).iter().all(is_full));
    }
    assert_eq!(lanes!(balances, Balance(Do::Answer)), [Ok(1), Ok(1)]);
    let mut waits = pin!(balances.execute(Balance(Do::Wait)));
    assert!(poll_once(waits.as_mut()).is_pending());
    assert!(lanes!(pays, Pay(Do::Answer)).iter().all(is_full));
}

#[test]
fn a_shared_breaker_opens_for_two_buses() {
    for blocking in [true, false] {
        let clock = FakeClock::new();
        let bank = breaker().shared();
        let pays = commands(&clock)
            .scope(|s| s.layer(bank.clone()).register::<Pay, _>(Bank))
            .build()
            .expect("one");
        let balances = queries(&clock)
            .layer(bank.clone())
            .register::<Balance, _>(Bank)
            .build()
            .expect("two");
        for _ in 0..2 {
            let outcome = if blocking {
                pays.execute_blocking(Pay(Do::Fail))
            } else {
                ready(pays.execute(Pay(Do::Fail))).expect("it does not wait")
            };
            assert!(outcome.is_err());
        }
        assert!(lanes!(balances, Balance(Do::Answer)).iter().all(is_open));
        clock.advance(Duration::from_secs(10));
        assert_eq!(lanes!(balances, Balance(Do::Answer)), [Ok(1), Ok(1)]);
    }
}

#[test]
fn a_plain_clone_counts_alone() {
    let clock = FakeClock::new();
    let layer = breaker();
    let pays = commands(&clock)
        .layer(layer.clone())
        .register::<Pay, _>(Bank)
        .register::<Refund, _>(Bank)
        .build()
        .expect("two");
    let balances = queries(&FakeClock::new())
        .layer(layer)
        .register::<Balance, _>(Bank)
        .build()
        .expect("nothing is shared");
    assert!(lanes!(pays, Pay(Do::Fail)).iter().all(Result::is_err));
    assert!(is_open(&pays.execute_blocking(Pay(Do::Answer))));
    assert_eq!(lanes!(pays, Refund(Do::Answer)), [Ok(1), Ok(1)]);
    assert_eq!(lanes!(balances, Balance(Do::Answer)), [Ok(1), Ok(1)]);
}

#[test]
fn routes_of_a_registrar_and_replaced_routes_share_a_layer() {
    let clock = FakeClock::new();
    let layer = breaker();
    let handles = layer.handles();
    let bank = layer.shared();
    let (pays, registrar) = commands(&clock).layer(bank.clone()).open().expect("none");
    registrar.must_register::<Pay, _>(Bank);
    let inner = registrar.layer(Validation::new());
    inner.must_register::<Refund, _>(Bank);
    assert!(lanes!(pays, Pay(Do::Fail)).iter().all(Result::is_err));
    assert!(lanes!(pays, Refund(Do::Answer)).iter().all(is_open));
    drop(registrar.replace::<Pay, _>(Bank).expect("there"));
    assert!(lanes!(pays, Pay(Do::Answer)).iter().all(is_open));
    let names: Vec<_> = handles.all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["pay"], "one policy, of the first route");
    assert_eq!(bank.get_ref().handles().all().len(), 1);
}

#[test]
fn a_static_bus_adopts_the_clock_of_a_bus_with_a_shared_layer() {
    static_bus! {
        struct Balances: Query { balance: Balance => Bank }
    }
    let clock = FakeClock::new();
    let bank = breaker().shared();
    let pays = commands(&clock)
        .layer(bank.clone())
        .register::<Pay, _>(Bank)
        .build()
        .expect("one");
    let layers = Layers::new().layer(bank);
    let balances = Balances::with_layers(&layers, Bank);
    assert!(
        lanes!(balances, Balance(Do::Fail))
            .iter()
            .all(Result::is_err)
    );
    assert!(lanes!(pays, Pay(Do::Answer)).iter().all(is_open));
    clock.advance(Duration::from_secs(10));
    assert_eq!(lanes!(balances, Balance(Do::Answer)), [Ok(1), Ok(1)]);
    let same = Balances::with_layers(&layers, Bank).clock(clock.clone());
    assert_eq!(lanes!(same, Balance(Do::Answer)), [Ok(1), Ok(1)]);
}

#[test]
#[should_panic(expected = "the layer `CircuitBreaker` around message 'balance'")]
fn a_static_bus_with_another_clock_panics() {
    static_bus! {
        struct Balances: Query { balance: Balance => Bank }
    }
    let layers = Layers::new().layer(breaker().shared());
    let _first = Balances::with_layers(&layers, Bank).clock(FakeClock::new());
    let _second = Balances::with_layers(&layers, Bank).clock(FakeClock::new());
}

#[test]
fn a_static_bus_may_change_its_own_clock() {
    static_bus! {
        struct Balances: Query { balance: Balance => Bank }
    }
    let layers = Layers::new().layer(breaker().shared());
    let bus = Balances::with_layers(&layers, Bank)
        .clock(FakeClock::new())
        .clock(FakeClock::new());
    assert_eq!(lanes!(bus, Balance(Do::Answer)), [Ok(1), Ok(1)]);
}

#[test]
fn buses_with_different_clocks_cannot_share_a_layer() {
    let clock = FakeClock::new();
    let bank = RateLimit::per_second(1).shared();
    let first = commands(&clock)
        .layer(bank.clone())
        .register::<Pay, _>(Bank)
        .build();
    assert!(first.is_ok());
    for other in [FakeClock::new().clock(), arcbus::Clock::new()] {
        let second = QueryBus::builder()
            .clock(other)
            .layer(Timeout::new(Duration::from_secs(1)).shared())
            .layer(Some(bank.clone()))
            .register::<Balance, _>(Bank);
        let error = second.build_strict().expect_err("another clock");
        assert!(
            matches!(
                error,
                RegistrationError::AnotherClock {
                    layer: "RateLimit",
                    ..
                }
            ),
            "{error}"
        );
        let text = error.to_string();
        let says = |part| assert!(text.contains(part), "{part:?} in {text:?}");
        says("the layer `RateLimit` around message 'balance'");
        says("shares its state with a bus that has another clock");
        says("give both buses one clock, `.clock(clock.clone())`");
    }
    let same = queries(&clock.clone())
        .layer(bank)
        .register::<Balance, _>(Bank);
    assert!(same.build().is_ok());
}

#[test]
fn a_later_handler_is_refused_if_its_clock_differs() {
    let bank = breaker().shared();
    let _first = commands(&FakeClock::new())
        .layer(bank.clone())
        .register::<Pay, _>(Bank)
        .build();
    let (bus, registrar) = queries(&FakeClock::new()).open().expect("none");
    let registrar = registrar.layer(bank);
    let error = registrar.register::<Balance, _>(Bank).expect_err("refused");
    assert!(error.to_string().contains("`CircuitBreaker`"), "{error}");
    assert!(bus.routes().is_empty());
}

#[test]
fn a_refused_bus_leaves_no_claim_to_its_clock() {
    let layer = breaker();
    let handles = layer.handles();
    let (bank, taken) = (layer.shared(), Bulkhead::new(1).shared());
    let _holder = commands(&FakeClock::new())
        .layer(taken.clone())
        .register::<Pay, _>(Bank)
        .build();
    let other = FakeClock::new();
    let twice = commands(&other)
        .layer(bank.clone())
        .register::<Pay, _>(Bank)
        .register::<Pay, _>(Bank);
    assert!(twice.build().is_err());
    let unused = commands(&other)
        .layer(bank.clone())
        .register::<Pay, _>(Bank)
        .layer(Validation::new());
    assert!(unused.build().is_err());
    let clocks = commands(&other)
        .layer(bank.clone())
        .layer(taken)
        .register::<Pay, _>(Bank);
    assert!(clocks.build().is_err());
    let balances = queries(&FakeClock::new())
        .layer(bank)
        .register::<Balance, _>(Bank)
        .build();
    assert!(balances.is_ok(), "{balances:?}");
    let names: Vec<_> = handles.all().into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["balance"], "nothing is left of the others");
}

#[test]
fn explain_says_which_layers_are_shared() {
    let limit = RateLimit::per_second(1).shared();
    let bus = commands(&FakeClock::new())
        .layer(limit)
        .layer(breaker())
        .wrap(guard(|_: &Pay, _: &Context<'_>| Ok(())))
        .register::<Pay, _>(Bank)
        .build()
        .expect("one");
    let explained = bus.explain::<Pay>().expect("registered");
    let shared: Vec<_> = explained
        .layers()
        .iter()
        .map(|layer| (layer.name(), layer.is_shared()))
        .collect();
    let expected = [
        ("RateLimit", true),
        ("CircuitBreaker", false),
        ("GuardGate", true),
    ];
    assert_eq!(shared, expected);
    let text = explained.to_string();
    let line = |name| {
        text.lines()
            .find(|line| line.contains(name))
            .expect("listed")
    };
    assert!(line("  RateLimit ").contains("shared"), "{text}");
    assert!(!line("  CircuitBreaker ").contains("shared"), "{text}");
    assert!(text.contains("other layers have one per route"), "{text}");
}

#[test]
fn explain_says_if_no_layer_is_shared() {
    let text = Layers::new().layer(breaker()).explain::<Pay>().to_string();
    assert!(
        text.contains("Each layer has one instance per route."),
        "{text}"
    );
    assert!(!text.contains("shared"), "{text}");
    let all = Layers::new().layer(breaker().shared());
    let all = all.explain::<Pay>().to_string();
    assert!(all.contains("Each layer is shared"), "{all}");
}
