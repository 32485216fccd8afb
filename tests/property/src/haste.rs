//! Hasty callers among patient ones, in front of a breaker of each kind. On a healthy backend no
//! patient caller is ever rejected. On a hanging backend, callers that wait long enough count as
//! evidence.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::circuit_breaker::{CircuitBreakerPolicy, State};
use arcbus::middleware::{
    AdaptiveLimit, CircuitBreaker, Hedge, ProductionConfig, ProductionLayers, Retry, Timeout,
};
use arcbus::{CancelToken, Context, FakeClock, Outcome, QueryBus};
use proptest::prelude::*;

use crate::acts::poll_once;
use crate::hasty::{Backend, Call, HANGS, Lane, MS, Rig, Way, call, within};

const SECOND: Duration = Duration::from_secs(1);
/// Number of breakers: every preset and window.
const KINDS: usize = 10;

/// Returns a breaker that counts callers which have waited for a second.
fn breaker(kind: usize) -> CircuitBreaker {
    let breaker = match kind % 4 {
        0 => CircuitBreaker::consecutive(5),
        1 => CircuitBreaker::count_window(20).minimum_calls(3),
        2 => CircuitBreaker::time_window(SECOND * 10).minimum_calls(3),
        _ => CircuitBreaker::consecutive(1),
    };
    breaker
        .slow_after(SECOND)
        .open_for(SECOND * 600)
        .half_open_probes(1)
}

fn made(kind: usize, moves: bool) -> (Rig, Arc<CircuitBreakerPolicy>) {
    let clock = FakeClock::new();
    let backend = Backend {
        clock: clock.clone(),
        moves,
    };
    let breaker = breaker(kind);
    let handles = breaker.handles();
    let builder = QueryBus::builder().clock(clock.clone());
    let config = ProductionConfig::new();
    let bus = match kind {
        0..3 => builder
            .layers(&ProductionLayers::queries(config.circuit_breaker(breaker)))
            .register(backend)
            .build(),
        3 => builder.layer(breaker).register(backend).build(),
        4 | 5 => {
            let adaptive = match kind {
                4 => AdaptiveLimit::aimd(SECOND),
                _ => AdaptiveLimit::vegas(),
            };
            builder
                .layer(breaker)
                .layer(adaptive.initial(64).window(5).slow_after(SECOND))
                .register(backend)
                .build()
        }
        6 => builder
            .layer(Hedge::quantile(0.5).samples(5).slow_after(SECOND))
            .layer(breaker)
            .register(backend)
            .build(),
        7 => builder
            .layer(breaker)
            .layer(Timeout::new(SECOND * 30).grace(SECOND))
            .register(backend)
            .build(),
        _ => {
            let (total, retry) = (Timeout::new(SECOND * 60), Retry::fixed(3, MS));
            let config = config.circuit_breaker(breaker);
            builder
                .layers(&ProductionLayers::retrying(config, total, retry))
                .register(backend)
                .build()
        }
    };
    let bus = bus.expect("in range");
    (Rig { bus, clock }, handles.get("call").expect("registered"))
}

/// A caller that comes a number of milliseconds after the caller before.
#[derive(Clone, Copy, Debug)]
struct Caller {
    gap: u32,
    takes: u32,
    /// The end of a hasty call, or `None` for a patient caller.
    haste: Option<(Way, u32)>,
}

fn way() -> impl Strategy<Value = Way> {
    prop_oneof![Just(Way::Deadline), Just(Way::Token), Just(Way::Drop)]
}

/// Callers of a healthy backend, of which the hasty ones wait for a part of its time.
fn mixed() -> impl Strategy<Value = Caller> {
    let haste = prop::option::weighted(0.7, (way(), 0_u32..100));
    (0_u32..20, 1_u32..50, haste).prop_map(|(gap, takes, haste)| Caller {
        gap,
        takes,
        haste: haste.map(|(way, part)| (way, takes * part / 100)),
    })
}

/// Callers of a hanging backend, all of whom are hasty and wait for a second or longer.
fn believed() -> impl Strategy<Value = Caller> {
    (0_u32..300, way(), 1000_u32..3000).prop_map(|(gap, way, patience)| Caller {
        gap,
        takes: HANGS,
        haste: Some((way, patience)),
    })
}

/// Sends the calls one after the other, and blocks this thread for each.
fn in_turn(rig: &Rig, callers: &[Caller], check: impl Fn(Caller, Outcome<Call>)) {
    for caller in callers {
        rig.clock.advance(MS * caller.gap);
        let (cx, msg) = match caller.haste {
            None => (Context::new(), call(caller.takes)),
            Some((Way::Token, patience)) => {
                let (msg, cx) = crate::hasty::cancelled(patience, caller.takes);
                (cx, msg)
            }
            Some((_, patience)) => (within(patience), call(caller.takes)),
        };
        check(*caller, rig.send(Lane::Blocking, msg, cx));
    }
}

struct Sent<'a> {
    caller: Caller,
    since: u32,
    token: CancelToken,
    dispatch: Pin<Box<dyn Future<Output = Outcome<Call>> + 'a>>,
}

impl Sent<'_> {
    /// Returns whether the call has ended, or its caller has gone.
    fn is_over(&mut self, now: u32, check: &impl Fn(Caller, Outcome<Call>)) -> bool {
        match self.caller.haste {
            Some((way, patience)) if now - self.since >= patience => match way {
                Way::Drop => return true,
                Way::Token => self.token.cancel(),
                Way::Deadline => {}
            },
            _ => {}
        }
        match poll_once(self.dispatch.as_mut()) {
            std::task::Poll::Ready(outcome) => {
                check(self.caller, outcome);
                true
            }
            std::task::Poll::Pending => false,
        }
    }
}

/// Sends the calls so that they overlap.
fn at_once(rig: &Rig, callers: &[Caller], check: impl Fn(Caller, Outcome<Call>)) {
    let mut coming = callers.iter().copied().peekable();
    let (mut now, mut next) = (0, callers.first().map_or(0, |caller| caller.gap));
    let mut sent: Vec<Sent<'_>> = Vec::new();
    while coming.peek().is_some() || !sent.is_empty() {
        while next <= now
            && let Some(caller) = coming.next()
        {
            sent.push(begin(rig, caller, now));
            next += coming.peek().map_or(0, |caller| caller.gap);
        }
        sent.retain_mut(|sent| !sent.is_over(now, &check));
        now += 1;
        rig.clock.advance(MS);
    }
}

fn begin(rig: &Rig, caller: Caller, since: u32) -> Sent<'_> {
    let token = CancelToken::new();
    let cx = match caller.haste {
        Some((Way::Deadline, patience)) => within(patience),
        Some((Way::Token, _)) => Context::new().cancel_on(token.clone()),
        _ => Context::new(),
    };
    let dispatch = Box::pin(rig.bus.execute_with(call(caller.takes), cx));
    Sent {
        caller,
        since,
        token,
        dispatch,
    }
}

fn assert_served(caller: Caller, outcome: Outcome<Call>) {
    match (caller.haste, outcome) {
        (None, outcome) => assert_eq!(outcome, Ok(caller.takes), "a patient one"),
        (Some(_), Err(error)) => assert!(!error.is_circuit_open() && !error.is_overloaded()),
        (Some(_), Ok(_)) => {}
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_healthy_backend_refuses_no_caller_for_the_haste_of_others(
        callers in prop::collection::vec(mixed(), 1..60),
        kind in 0..KINDS,
    ) {
        let (rig, policy) = made(kind, true);
        in_turn(&rig, &callers, assert_served);
        prop_assert_eq!(policy.state(), State::Closed);
        prop_assert_eq!(rig.patient(Lane::Blocking, 30), Ok(30));

        let (rig, policy) = made(kind, false);
        at_once(&rig, &callers, assert_served);
        prop_assert_eq!(policy.state(), State::Closed);
        let patient = Caller { gap: 0, takes: 30, haste: None };
        at_once(&rig, &[patient], assert_served);
    }

    #[test]
    fn a_hanging_backend_opens_the_breaker_after_enough_long_waits(
        callers in prop::collection::vec(believed(), 12..20),
        kind in 0..KINDS,
    ) {
        let ignore = |_, _| ();
        let (rig, policy) = made(kind, true);
        in_turn(&rig, &callers, ignore);
        prop_assert_eq!(policy.state(), State::Open);
        prop_assert!(rig.patient(Lane::Blocking, 1).unwrap_err().is_circuit_open());

        let (rig, policy) = made(kind, false);
        at_once(&rig, &callers, ignore);
        prop_assert_eq!(policy.state(), State::Open);
        prop_assert!(rig.patient(Lane::Awaiting, 1).unwrap_err().is_circuit_open());
    }
}
