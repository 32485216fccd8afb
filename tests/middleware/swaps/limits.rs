//! The limits that hold after a swap: those of the layer if its settings are new, or else those set
//! by hand.

use std::time::Duration;

use arcbus::middleware::circuit_breaker::State;
use arcbus::middleware::rate_limit::Rate;
use arcbus::middleware::{
    AdaptiveLimit, Bulkhead, Chaos, CircuitBreaker, Hedge, RateLimit, Timeout,
};
use arcbus::{Layer, More, NoLayers, Query, Registrar, RegistrationError, Retired};

use super::rig::{HOUR, Rig, Task, empty, rig};

const SECOND: Duration = Duration::from_secs(1);

/// Returns a bus whose handler has one layer, and a registrar without the layer.
fn with<L: Layer<Task>>(layer: L) -> (Rig<More<NoLayers, L>>, Registrar<Query>) {
    let (bus, registrar, clock) = empty();
    (Rig::around(bus, registrar.layer(layer), clock), registrar)
}

fn swap_to<S: arcbus::Stack<Task>>(
    (rig, registrar): &(Rig<S>, Registrar<Query>),
    layer: impl Layer<Task>,
) {
    let swapped = registrar.layer(layer).replace(rig.version(true));
    let _ = swapped.expect("registered");
}

#[test]
fn a_new_rate_of_the_layer_holds_for_the_remaining_tokens() {
    let limit = RateLimit::new(4, HOUR);
    let handles = limit.handles();
    let bus = with(limit.clone());
    let policy = handles.get("task").expect("registered");
    assert_eq!(bus.0.passed(1), 2);
    swap_to(&bus, limit.burst(3));
    assert_eq!(policy.rate(), Rate::new(4, HOUR).burst(3));
    assert_eq!(bus.0.passed(1), 1);
}

#[test]
fn an_open_breaker_stays_open_for_the_time_of_the_new_layer() {
    let breaker = CircuitBreaker::consecutive(1).open_for(HOUR);
    let handles = breaker.handles();
    let bus = with(breaker.clone());
    assert_eq!(bus.0.passed(100), 0);
    swap_to(&bus, breaker.open_for(SECOND).half_open_probes(2));
    let policy = handles.get("task").expect("registered");
    assert_eq!(policy.state(), State::Open);
    assert_eq!(policy.limits().open_for, SECOND);
    bus.0.clock.advance(SECOND);
    assert_eq!(bus.0.passed(1), 2);
    assert_eq!(policy.state(), State::Closed);
}

#[test]
fn every_limit_of_a_clone_is_taken_over() {
    let ranged = AdaptiveLimit::vegas().initial(5);
    let (handles, bus) = (ranged.handles(), with(ranged.clone()));
    swap_to(&bus, ranged.range(5, 7));
    let usage = handles.all()[0].1.usage();
    assert_eq!((usage.limit, usage.min, usage.max), (5, 5, 7));

    let timeout = Timeout::new(SECOND);
    let (handles, bus) = (timeout.handles(), with(timeout.clone()));
    swap_to(&bus, timeout.for_route::<Task>(HOUR));
    assert_eq!(handles.all()[0].1.timeout(), HOUR);

    let hedge = Hedge::after(SECOND);
    let (handles, bus) = (hedge.handles(), with(hedge.clone()));
    swap_to(&bus, hedge.min_delay(HOUR));
    assert_eq!(handles.all()[0].1.delay(), Some(HOUR));

    let chaos = Chaos::seeded(1);
    let (handles, bus) = (chaos.handles(), with(chaos.clone()));
    swap_to(&bus, chaos.failures(1.0));
    assert_eq!((bus.0.passed(1), handles.all().len()), (0, 1));
}

#[test]
fn a_limit_set_by_hand_stays_until_a_layer_with_other_limits_replaces_it() {
    let limit = RateLimit::new(4, HOUR);
    let handles = limit.handles();
    let bus = with(limit.clone());
    let policy = handles.get("task").expect("registered");
    let by_hand = Rate::new(1, HOUR);
    policy
        .change(bus.0.clock.clock().since_origin(), by_hand)
        .expect("in range");
    bus.0.swap();
    assert_eq!((policy.rate(), bus.0.passed(1)), (by_hand, 1));
    swap_to(&bus, limit.clone().burst(2));
    assert_eq!(policy.rate(), Rate::new(4, HOUR).burst(2));
    swap_to(&bus, limit.burst(2));
    assert_eq!(handles.all().len(), 1);
}

#[test]
fn a_lower_limit_by_hand_outlives_fifty_swaps() {
    let bulkhead = Bulkhead::new(9);
    let handles = bulkhead.handles();
    let rig = rig(bulkhead);
    handles.all()[0].1.set_limit(1).expect("in range");
    (0..50).for_each(|_| rig.swap());
    assert_eq!(handles.get("task").expect("registered").usage().limit, 1);
}

/// Returns the error of a change that must be rejected.
fn refused(changed: Result<Retired, RegistrationError>) -> RegistrationError {
    changed.map(drop).expect_err("refused")
}

#[test]
fn a_refused_change_sets_no_limit() {
    let limit = RateLimit::new(4, HOUR);
    let handles = limit.handles();
    let (rig, registrar) = with(limit.clone());
    let policy = handles.get("task").expect("registered");
    let other = registrar.layer(limit.clone().burst(1));
    refused(other.update(|batch| {
        batch.replace(rig.version(true)).register(rig.version(true));
    }));
    refused(registrar.layer(limit.burst(0)).replace(rig.version(true)));
    assert_eq!((policy.rate(), rig.passed(1)), (Rate::new(4, HOUR), 2));
    assert_eq!(handles.all().len(), 1);
}
