//! A formatter may use the value that is being formatted, because no lock of the library is held
//! meanwhile.

use std::fmt::{self, Debug, Write};
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::bulkhead::BulkheadPolicy;
use arcbus::middleware::chaos::ChaosPolicy;
use arcbus::middleware::{Cache, CircuitBreaker, Idempotency, KeyedRateLimit};
use arcbus::{CommandBus, Context, Layer, from_fn};

use crate::acts::{Act, Actor};
use crate::hostile::within_time;

/// A writer that calls its closure at each write.
struct Acts<F>(F);

impl<F: Fn()> Write for Acts<F> {
    fn write_str(&mut self, _: &str) -> fmt::Result {
        (self.0)();
        Ok(())
    }
}

fn write(what: &impl Debug, act: impl Fn()) {
    write!(Acts(act), "{what:?} {what:#?}").expect("nothing fails");
}

fn bus(layer: impl Layer<Act>) -> CommandBus {
    let builder = CommandBus::builder().layer(layer);
    builder
        .register(Actor::default())
        .build()
        .expect("in range")
}

#[test]
fn a_writer_may_use_a_bulkhead() {
    within_time(|| {
        let policy = BulkheadPolicy::with_queue(1, 2).expect("in range");
        write(&policy, || drop((policy.try_acquire(), policy.join())));
    });
}

#[test]
fn a_writer_may_change_chaos() {
    within_time(|| {
        let policy = ChaosPolicy::new(1);
        write(&policy, || policy.set_panics(0.5).expect("in range"));
    });
}

#[test]
fn a_writer_may_change_a_breaker() {
    within_time(|| {
        let breaker = CircuitBreaker::consecutive(3);
        let handles = breaker.handles();
        let bus = bus(breaker);
        let policy = handles.get("act").expect("registered");
        write(&*policy, || {
            policy.set_limits(policy.limits()).expect("in range")
        });
        write(&handles, || drop(handles.all()));
        drop(bus);
    });
}

#[test]
fn a_writer_may_register_with_metrics() {
    within_time(|| {
        let metrics = Metrics::new();
        let _bus = bus(metrics.layer());
        write(&metrics, || {
            drop(bus(metrics.layer()));
            let _ = metrics.snapshot();
        });
    });
}

#[test]
fn a_writer_may_register_with_a_layer() {
    within_time(|| {
        let idempotency = Idempotency::in_memory(Duration::from_secs(1));
        write(&idempotency, || drop(idempotent(&idempotency)));
        let cache = Cache::ttl(Duration::from_secs(1));
        let _handle = cache.handle::<Ask>();
        write(&cache, || drop(cache.handle::<Ask>()));
        let keyed =
            KeyedRateLimit::by_context(arcbus::middleware::rate_limit::Rate::per_second(1), |_| {
                0_u8
            });
        let handles = keyed.handles();
        let _bus = bus(keyed);
        let policy = handles.get("act").expect("registered");
        write(&*policy, || {
            policy.check(&0, Duration::ZERO).map_or((), drop)
        });
    });
}

#[derive(Hash)]
struct Pay;

impl arcbus::Message for Pay {
    const NAME: &'static str = "pay";
    type Kind = arcbus::Command;
    type Reply = ();
    type Error = String;
}

fn idempotent(layer: &Idempotency) -> CommandBus {
    let builder = CommandBus::builder().layer(layer.clone());
    let bus = builder
        .register(from_fn(|_: Pay, _: &Context<'_>| Ok(())))
        .build();
    bus.expect("in range")
}

struct Ask;

impl arcbus::Message for Ask {
    const NAME: &'static str = "ask";
    type Kind = arcbus::Query;
    type Reply = ();
    type Error = String;
}

impl arcbus::middleware::Cacheable for Ask {
    type Key = u8;
    fn key(&self) -> &u8 {
        &0
    }
}
