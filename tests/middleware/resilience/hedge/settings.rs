//! The ranges of the settings of a hedge, and the facts that it states.

use std::time::Duration;

use arcbus::middleware::hedge::{HedgeCounts, HedgeMiddleware, HedgePolicy};
use arcbus::middleware::{Budget, Hedge};
use arcbus::{Facts, FakeClock, Layer, QueryBus, RegistrationError};

use super::replicas::{Ask, End::*, MS, Replicas, ask};
use crate::acts::{Steps, layers};

static_assertions::assert_impl_all!(Hedge: Send, Sync, Unpin, Clone, std::fmt::Debug);
static_assertions::assert_impl_all!(HedgePolicy: Send, Sync, Unpin, std::fmt::Debug);
static_assertions::assert_impl_all!(HedgeMiddleware: Send, Sync, Unpin, std::fmt::Debug);
static_assertions::assert_impl_all!(HedgeCounts: Send, Sync, Copy, Eq, std::fmt::Debug);

const FAR: Duration = Duration::from_nanos(u64::MAX);

fn bus<L: Layer<Ask>>(layer: L) -> Result<QueryBus, RegistrationError> {
    let replicas = Replicas {
        clock: FakeClock::new(),
        steps: Steps::default(),
    };
    QueryBus::builder()
        .layer(layer)
        .register::<Ask, _>(replicas)
        .build()
}

#[test]
fn settings_out_of_range_are_refused_by_the_bus_and_by_the_policy() {
    let cases = [
        (Hedge::after(FAR), "Hedge.delay"),
        (Hedge::after(Duration::MAX), "Hedge.delay"),
        (Hedge::quantile(0.0), "Hedge.quantile"),
        (Hedge::quantile(1.0), "Hedge.quantile"),
        (Hedge::quantile(-0.1), "Hedge.quantile"),
        (Hedge::quantile(f64::NAN), "Hedge.quantile"),
        (Hedge::after(MS).max_delay(FAR), "Hedge.max_delay"),
        (
            Hedge::after(MS).min_delay(MS * 2).max_delay(MS),
            "Hedge.min_delay",
        ),
        (Hedge::after(MS).samples(0), "Hedge.samples"),
        (Hedge::after(MS).samples(1_000_001), "Hedge.samples"),
        (Hedge::after(MS).max_hedges(0), "Hedge.max_hedges"),
        (Hedge::after(MS).max_hedges(11), "Hedge.max_hedges"),
        (Hedge::after(MS).max_hedges(u32::MAX), "Hedge.max_hedges"),
        (Hedge::after(MS).budget(Budget::new(0.0)), "Budget.ratio"),
    ];
    for (hedge, field) in cases {
        assert_eq!(hedge.policy().unwrap_err().field(), field);
        match bus(hedge) {
            Err(RegistrationError::InvalidSetting(invalid)) => assert_eq!(invalid.field(), field),
            _ => panic!("{field} must be refused"),
        }
    }
}

#[test]
fn the_ends_of_the_ranges_are_in_range() {
    let almost = FAR - Duration::from_nanos(1);
    let hedges = [
        Hedge::after(Duration::ZERO).max_hedges(10),
        Hedge::after(almost).max_delay(almost),
        Hedge::quantile(0.001).samples(1),
        Hedge::quantile(0.999).samples(1_000_000),
        Hedge::quantile(0.5).min_delay(MS).max_delay(MS),
    ];
    for hedge in hedges {
        let policy = hedge.policy().expect("in range");
        assert!((1..=10).contains(&policy.max_hedges()));
        assert!(bus(hedge).is_ok());
    }
}

#[test]
fn a_hedge_states_its_facts() {
    let facts = Layer::<Ask>::facts(&Hedge::after(MS * 10).max_hedges(2));
    let note = "after 10ms, at most 2, budget of 0.1 a message, 10 a second";
    let said = |at_once, stagger| Facts::new().at_once(at_once).staggers(stagger).live();
    assert_eq!(facts, said(3, MS * 20).note(note));
    let budget = Budget::new(0.5).minimum_per_second(1);
    let facts = Layer::<Ask>::facts(&Hedge::quantile(0.95).budget(budget));
    let note = "after the 0.95 quantile, at most 1, budget of 0.5 a message, 1 a second";
    assert_eq!(facts, said(2, FAR - Duration::from_nanos(1)).note(note));
    let held = Hedge::quantile(0.95).max_delay(MS * 7);
    let facts = Layer::<Ask>::facts(&held.budget(Budget::new(0.5).minimum_per_second(1)));
    assert_eq!(facts, said(2, MS * 7).note(note));
}

#[test]
fn a_hedge_switched_off_does_nothing() {
    let off = bus(None::<Hedge>).expect("nothing to check");
    assert!(layers(&off).is_empty());
    assert_eq!(off.execute_blocking(ask([(0, Reply)])), Ok(1));
    let on = bus(Some(Hedge::after(MS))).expect("in range");
    assert_eq!(layers(&on), ["Hedge"]);
    assert_eq!(on.execute_blocking(ask([(0, Reply)])), Ok(1));
}

#[test]
fn each_route_has_its_own_budget_unless_set() {
    let hedge = Hedge::after(MS);
    let (one, two) = (hedge.policy(), hedge.policy());
    let (one, two) = (one.expect("in range"), two.expect("in range"));
    let now = Duration::from_secs(60);
    while one.try_hedge(now) {}
    assert!(two.try_hedge(now));
    let hedge = hedge.budget(Budget::default());
    let (one, two) = (hedge.policy(), hedge.policy());
    let (one, two) = (one.expect("in range"), two.expect("in range"));
    while one.try_hedge(now) {}
    assert!(!two.try_hedge(now));
    assert_eq!((one.counts().exhausted, two.counts().fired), (1, 0));
}
