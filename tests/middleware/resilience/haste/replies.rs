//! Layers that reply in the handler's place or remember outcomes, with impatient callers.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use arcbus::ErrorKind;
use arcbus::metrics::Metrics;
use arcbus::middleware::idempotency::IdempotencyKey;
use arcbus::middleware::{Cache, Cacheable, Coalesce, Fallback, Idempotency, Timeout};
use arcbus::{
    CancelToken, Command, CommandBus, Context, Error, FakeClock, Message, Query, QueryBus, Source,
    from_async_fn, from_fn,
};

use crate::acts::{block, poll_once, ready};
use crate::hasty::{HANGS, LANES, Lane, MS, call, rig, send, within};

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_fallback_does_not_run_after_the_caller_has_gone() {
    for lane in LANES {
        let metrics = Metrics::new();
        let rig = rig(|bus| {
            bus.layer(metrics.layer())
                .layer(Fallback::value(7))
                .layer(Timeout::new(MS * 10))
        });
        let hasty = rig.send(lane, call(HANGS), within(3));
        assert!(hasty.unwrap_err().is_timeout(), "{lane:?}");
        assert_eq!(rig.send(lane, call(HANGS), within(11)), Ok(7), "{lane:?}");
        let snapshot = metrics.snapshot();
        let route = snapshot.route("call").expect("registered");
        let kinds = [ErrorKind::CallerTimeout, ErrorKind::Timeout];
        assert_eq!(kinds.map(|kind| route.failures(kind)), [1, 0]);
        assert_eq!(route.replies_from(Source::Fallback), 1);
    }
}

#[test]
fn metrics_tell_the_callers_limit_from_a_layers() {
    for lane in LANES {
        let metrics = Metrics::new();
        let rig = rig(|bus| bus.layer(metrics.layer()).layer(Timeout::new(MS * 10)));
        for patience in [3, 3, 11] {
            assert!(rig.send(lane, call(HANGS), within(patience)).is_err());
        }
        let snapshot = metrics.snapshot();
        let route = snapshot.route("call").expect("registered");
        let kinds = [ErrorKind::CallerTimeout, ErrorKind::Timeout];
        assert_eq!(kinds.map(|kind| route.failures(kind)), [2, 1]);
    }
}

/// A lookup that takes 30 ms, by a client that keeps the deadline.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
struct Lookup;

impl Message for Lookup {
    const NAME: &'static str = "lookup";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

impl Cacheable for Lookup {
    type Key = Self;
    fn key(&self) -> &Self {
        self
    }
}

/// Builds a bus whose handler replies with the number of its runs.
fn lookups<S: arcbus::Stack<Lookup>>(
    layers: impl FnOnce(arcbus::BusBuilder<Query>) -> arcbus::BusBuilder<Query, S>,
) -> (QueryBus, FakeClock) {
    let (clock, runs) = (FakeClock::new(), AtomicU32::new(0));
    let time = clock.clone();
    let look_up = move |_: Lookup, cx: &Context<'_>| {
        let run = runs.fetch_add(1, Ordering::Relaxed);
        let patience = cx.remaining().unwrap_or(Duration::MAX);
        time.advance(patience.min(MS * 30));
        match patience < MS * 30 {
            true => Err("the socket timed out".to_owned()),
            false => Ok(run),
        }
    };
    let bus = layers(QueryBus::builder().clock(clock.clone()))
        .register(from_fn(look_up))
        .build()
        .expect("in range");
    (bus, clock)
}

#[test]
fn an_error_of_a_hasty_caller_is_not_kept_for_a_patient_caller() {
    for lane in LANES {
        let (bus, _) = lookups(|bus| bus.layer(Cache::ttl(SECOND).cache_errors(SECOND)));
        assert!(send(&bus, lane, Lookup, within(3)).is_err());
        assert_eq!(send(&bus, lane, Lookup, Context::new()), Ok(1), "{lane:?}");
        assert_eq!(send(&bus, lane, Lookup, within(3)), Ok(1), "kept");
    }
}

/// A load for which others wait does not end with its first caller's patience.
#[test]
fn a_hasty_callers_load_goes_on_for_those_who_wait() {
    let cached = lookups_that_wait(|bus| bus.layer(Cache::ttl(SECOND).cache_errors(SECOND)));
    let coalesced = lookups_that_wait(|bus| bus.layer(Coalesce::new()));
    for (bus, clock, token) in [cached, coalesced] {
        let mut leader = Box::pin(bus.execute_with(Lookup, within(3)));
        let mut waiter = Box::pin(bus.execute(Lookup));
        assert!(poll_once(leader.as_mut()).is_pending());
        assert!(poll_once(waiter.as_mut()).is_pending());
        clock.advance(MS * 3);
        assert!(ready(leader).expect("late").unwrap_err().is_timeout());
        assert!(poll_once(waiter.as_mut()).is_pending());
        token.cancel();
        assert_eq!(ready(waiter), Some(Ok(1)));
    }
}

/// Builds a bus whose handler waits for a token, and replies with the number of its runs.
fn lookups_that_wait<S: arcbus::Stack<Lookup>>(
    layers: impl FnOnce(arcbus::BusBuilder<Query>) -> arcbus::BusBuilder<Query, S>,
) -> (QueryBus, FakeClock, CancelToken) {
    let (clock, token) = (FakeClock::new(), CancelToken::new());
    let (runs, done) = (Arc::new(AtomicU32::new(0)), token.clone());
    let bus = layers(QueryBus::builder().clock(clock.clone()))
        .register(arcbus::from_async_fn_with(
            (runs, done),
            async |(runs, done): &(Arc<AtomicU32>, CancelToken), _: Lookup, _: &Context<'_>| {
                let run = runs.fetch_add(1, Ordering::Relaxed) + 1;
                done.cancelled().await;
                Ok::<_, String>(run)
            },
        ))
        .build()
        .expect("in range");
    (bus, clock, token)
}

/// A command whose handler hangs.
#[derive(Clone, Debug, Hash)]
struct Charge;

impl Message for Charge {
    const NAME: &'static str = "charge";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

#[test]
fn a_command_ended_by_its_caller_is_in_doubt() {
    for lane in LANES {
        for timeout in [None, Some(SECOND)] {
            let bus = CommandBus::builder()
                .layer(Idempotency::in_memory(SECOND * 60))
                .layer(timeout.map(Timeout::new))
                .register(from_async_fn(async |_: Charge, _: &Context<'_>| {
                    std::future::pending().await
                }))
                .build()
                .expect("in range");
            let keyed = || Context::new().with(IdempotencyKey::new("a"));
            let send = |cx| match lane {
                Lane::Blocking => bus.execute_blocking_with(Charge, cx),
                Lane::Awaiting => block(bus.execute_with(Charge, cx)),
            };
            // The blocking lane waits in real time, so the timeout is short.
            let hasty = send(keyed().timeout(MS));
            assert!(hasty.unwrap_err().is_timeout(), "{lane:?}");
            assert_eq!(send(keyed()), Err(Error::InDoubt), "{lane:?}");
        }
    }
}
