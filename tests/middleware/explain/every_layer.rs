//! `explain` knows the role and the figures of every layer of the crate.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::cache::Outdated;
use arcbus::middleware::rate_limit::Rate;
use arcbus::middleware::{
    AdaptiveLimit, Authorize, Bulkhead, Cache, Cacheable, Chaos, CircuitBreaker, Coalesce,
    Fallback, Hedge, Idempotency, Invalidates, KeyedRateLimit, MapError, RateLimit, Retry, Timeout,
    Validation, When,
};
use arcbus::{
    Command, Context, Error, Idempotent, LayerExt, Layers, Message, Query, Stack, guard, inspect,
};

const SECOND: Duration = Duration::from_secs(1);

#[derive(Clone)]
struct Ask(u32);

impl Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

impl Cacheable for Ask {
    type Key = u32;
    fn key(&self) -> &u32 {
        &self.0
    }
}

#[derive(Clone, Hash)]
struct Do;

impl Message for Do {
    const NAME: &'static str = "do";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

impl Idempotent for Do {}

impl Invalidates<Ask> for Do {
    fn invalidates(&self) -> Outdated<Ask> {
        Outdated::All
    }
}

/// Returns the names of layers that `explain` does not know, and the text of the explanation.
fn unknown<M: Message, S: Stack<M>>(layers: Layers<S>) -> (Vec<&'static str>, String) {
    let explanation = layers.explain::<M>();
    (explanation.unknown().to_vec(), explanation.to_string())
}

macro_rules! explained {
    ($($name:ident of $message:ident: $layer:expr;)*) => {
        [$((stringify!($name), unknown::<$message, _>(Layers::new().layer($layer)))),*]
    };
}

#[test]
fn no_layer_of_the_crate_is_unknown() {
    let cache = Cache::ttl(SECOND);
    let rate = Rate::per_second(1);
    let no_condition = |_: &Ask, _: &Context<'_>| true;
    let same_error = |error: Error<String>, _: &Context<'_>| error;
    let known = explained! {
        AdaptiveLimit of Ask: AdaptiveLimit::vegas();
        Authorize of Ask: Authorize::new(|_, _: &Context<'_>| Ok(()));
        Bulkhead of Ask: Bulkhead::new(1);
        Bulkhead of Ask: Bulkhead::new(1).queue(1, SECOND);
        Cache of Ask: cache.clone();
        Invalidator of Do: cache.invalidator::<Ask>();
        Chaos of Ask: Chaos::seeded(1);
        CircuitBreaker of Ask: CircuitBreaker::consecutive(1);
        Coalesce of Ask: Coalesce::new();
        Fallback of Ask: Fallback::value(1_u32);
        Hedge of Ask: Hedge::after(SECOND);
        Idempotency of Do: Idempotency::in_memory(SECOND);
        MapError of Ask: MapError::new(same_error);
        MetricsLayer of Ask: Metrics::new().layer();
        RateLimit of Ask: RateLimit::of(rate);
        RateLimit of Ask: RateLimit::of(rate).wait_at_most(SECOND);
        KeyedRateLimit of Ask: KeyedRateLimit::by(rate, |msg: &Ask, _: &Context<'_>| msg.0);
        Retry of Do: Retry::fixed(2, SECOND);
        Retry of Ask: Retry::fixed(2, SECOND).retry_if(|_: &Error<String>| true);
        Timeout of Ask: Timeout::new(SECOND);
        Timeout of Ask: Timeout::new(SECOND).per_message(|_: &Ask, _: &Context<'_>| None);
        Trace of Ask: trace();
        Validation of Ask: Validation::new();
        When of Ask: When::new(no_condition, Validation::new());
        Option of Ask: Some(Validation::new());
        Shared of Ask: Bulkhead::new(1).shared();
    };
    for (name, (unknown, text)) in &known {
        assert_eq!(unknown, &[""; 0], "{name}");
        assert!(!text.contains("unknown"), "{text}");
    }
    let wrapped = Layers::new()
        .wrap(guard(|_: &Ask, _: &Context<'_>| Ok(())))
        .wrap(inspect(
            |_: &Ask, _: &Context<'_>| {},
            |_, _: &Context<'_>| {},
        ));
    assert_eq!(unknown::<Ask, _>(wrapped).0, [""; 0]);

    let known: BTreeSet<_> = known.iter().map(|(name, _)| (*name).to_owned()).collect();
    let mut layers = BTreeSet::new();
    find_layers(
        &Path::new(env!("CARGO_MANIFEST_DIR")).join("src"),
        &mut layers,
    );
    layers.remove("Wrapped"); // what `wrap` makes
    let missing: Vec<_> = layers.difference(&known).collect();
    assert!(missing.is_empty(), "explain these above, too: {missing:?}");
}

#[cfg(feature = "tracing")]
fn trace() -> arcbus::middleware::Trace {
    arcbus::middleware::Trace::new()
}

/// Returns a layer that takes the trace's place in the table without the feature.
#[cfg(not(feature = "tracing"))]
fn trace() -> Validation {
    Validation::new()
}

/// Finds the types for which the sources in `folder` implement `Layer`.
fn find_layers(folder: &Path, found: &mut BTreeSet<String>) {
    for entry in fs::read_dir(folder).expect("the sources are there") {
        let path = entry.expect("readable").path();
        if path.is_dir() {
            find_layers(&path, found);
            continue;
        }
        if path.extension().is_none_or(|extension| extension != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).expect("readable");
        let lines = text
            .lines()
            .filter(|line| !line.trim_start().starts_with("//"));
        let types =
            lines.filter_map(|line| line.split_once(" Layer<M> for ").map(|(_, rest)| rest));
        let name = |rest: &str| {
            let end = rest.find(|c: char| !c.is_alphanumeric() && c != '_');
            rest[..end.unwrap_or(rest.len())].to_owned()
        };
        found.extend(types.map(name));
    }
}
