//! State that buses share must count on one clock. Two clocks are rejected, and nothing of a
//! rejected bus remains.

use std::time::Duration;

use arcbus::middleware::{Budget, Idempotency, Retry};
use arcbus::{
    BusBuilder, Command, CommandBus, Context, FakeClock, Idempotent, Message, NoLayers, Query,
    QueryBus, from_fn,
};

const SOON: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Hash)]
struct Pay;

impl Message for Pay {
    const NAME: &'static str = "pay";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

impl Idempotent for Pay {}

#[derive(Clone)]
struct Price;

impl Message for Price {
    const NAME: &'static str = "price";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

fn commands(clock: &FakeClock) -> BusBuilder<Command, NoLayers> {
    CommandBus::builder().clock(clock.clone())
}

fn queries(clock: &FakeClock) -> BusBuilder<Query, NoLayers> {
    QueryBus::builder().clock(clock.clone())
}

fn pay() -> impl arcbus::Handler<Pay> {
    from_fn(|_: Pay, _: &Context<'_>| Ok(1))
}

fn price() -> impl arcbus::Handler<Price> {
    from_fn(|_: Price, _: &Context<'_>| Ok(1))
}

#[test]
fn a_budget_of_buses_with_different_clocks_is_refused() {
    let (one, other) = (FakeClock::new(), FakeClock::new());
    let retry = Retry::exponential(2, SOON).budget(Budget::new(0.5));
    let _first = commands(&one).layer(retry.clone()).register(pay()).build();
    let second = queries(&other).layer(retry.clone()).register(price());
    let text = second.build().expect_err("another clock").to_string();
    assert!(
        text.contains("the layer `Retry` around message 'price'"),
        "{text}"
    );
    assert!(text.contains("`.clock(clock.clone())`"), "{text}");
    let same = queries(&one).layer(retry).register(price()).build();
    assert!(same.is_ok(), "one clock");
}

#[test]
fn a_budget_without_a_minimum_a_second_reads_no_clock() {
    let budget = Budget::new(0.5).minimum_per_second(0);
    let retry = Retry::exponential(2, SOON).budget(budget);
    for clock in [FakeClock::new(), FakeClock::new()] {
        let bus = commands(&clock).layer(retry.clone()).register(pay());
        assert!(bus.build().is_ok());
    }
}

#[test]
fn keys_of_buses_with_different_clocks_are_refused() {
    let keys = Idempotency::in_memory(HOUR);
    let bus = |clock| commands(clock).layer(keys.clone()).register(pay()).build();
    let (one, other) = (FakeClock::new(), FakeClock::new());
    assert!(bus(&one).is_ok());
    let text = bus(&other).expect_err("another clock").to_string();
    assert!(text.contains("the layer `Idempotency`"), "{text}");
    assert!(bus(&one.clone()).is_ok(), "a clone is the same clock");
}
