//! A handler that makes a nested dispatch with all its limits. A nested dispatch that its caller
//! ended is neutral for the outer layers as well.

use std::sync::Arc;
use std::time::Duration;

use arcbus::middleware::circuit_breaker::{CircuitBreakerPolicy, State};
use arcbus::middleware::{CircuitBreaker, Timeout};
use arcbus::{Context, Error, FakeClock, Handler, Message, Query, QueryBus};

use crate::hasty::{Backend, Call, ENDS, HANGS, LANES, Lane, MS, Way, call, send, within};

const SECOND: Duration = Duration::from_secs(1);

/// A message whose handler calls the backend in its own context.
#[derive(Clone, Debug)]
struct Relay(Call);

impl Message for Relay {
    const NAME: &'static str = "relay";
    type Kind = Query;
    type Reply = u32;
    type Error = Error<String>;
}

struct Relays(QueryBus, Lane);

impl Handler<Relay> for Relays {
    async fn handle(&self, msg: Relay, cx: &Context<'_>) -> Result<u32, Error<String>> {
        match self.1 {
            Lane::Blocking => self.0.execute_blocking_in(cx, msg.0),
            Lane::Awaiting => self.0.execute_in(cx, msg.0).await,
        }
    }
}

/// A chain of two buses, with a breaker around each handler.
struct Chain {
    outer: QueryBus,
    breakers: [Arc<CircuitBreakerPolicy>; 2],
    clock: FakeClock,
}

fn chain(outer_limit: Option<u32>, inner_limit: Option<u32>, nested: Lane) -> Chain {
    let clock = FakeClock::new();
    let breaker = || CircuitBreaker::consecutive(2).slow_after(SECOND);
    let timeout = |ms: Option<u32>| ms.map(|ms| Timeout::new(MS * ms));
    let [outer, inner] = [breaker(), breaker()];
    let handles = [outer.handles(), inner.handles()];
    let backend = Backend {
        clock: clock.clone(),
        moves: true,
    };
    let inner = QueryBus::builder()
        .clock(clock.clone())
        .layer(inner)
        .layer(timeout(inner_limit))
        .register(backend)
        .build()
        .expect("in range");
    let outer = QueryBus::builder()
        .clock(clock.clone())
        .layer(outer)
        .layer(timeout(outer_limit))
        .register(Relays(inner, nested))
        .build()
        .expect("in range");
    let breakers = ["relay", "call"];
    let breakers = [0, 1].map(|nth| handles[nth].get(breakers[nth]).expect("registered"));
    Chain {
        outer,
        breakers,
        clock,
    }
}

impl Chain {
    fn states(&self) -> [State; 2] {
        [0, 1].map(|nth| self.breakers[nth].state())
    }

    /// Sends a call of a caller whose patience is too short, like
    /// [`Rig::hasty`](crate::hasty::Rig::hasty).
    fn hasty(&self, (lane, way): (Lane, Way), patience: u32, takes: u32) {
        let (msg, cx) = match way {
            Way::Token => crate::hasty::cancelled(patience, takes),
            _ => (call(takes), within(patience)),
        };
        if way != Way::Drop {
            let _ = send(&self.outer, lane, Relay(msg), cx).unwrap_err();
            return;
        }
        let end = self.clock.now() + MS * patience;
        let mut dispatch = Box::pin(self.outer.execute(Relay(msg)));
        while self.clock.now() < end {
            assert!(crate::acts::poll_once(dispatch.as_mut()).is_pending());
        }
    }
}

const CLOSED: [State; 2] = [State::Closed; 2];
const OPEN: [State; 2] = [State::Open; 2];

/// Returns the lanes of the nested and of the outer dispatch. An async dispatch may not block
/// inside.
fn ends() -> impl Iterator<Item = (Lane, (Lane, Way))> {
    let all = LANES
        .into_iter()
        .flat_map(|nested| ENDS.map(|end| (nested, end)));
    all.filter(|(nested, (outer, _))| *nested == Lane::Awaiting || *outer == Lane::Blocking)
}

#[test]
fn haste_opens_no_breaker_of_a_nested_dispatch() {
    for (nested, end) in ends() {
        let chain = chain(None, Some(30_000), nested);
        for _ in 0..10 {
            chain.hasty(end, 3, 30);
        }
        assert_eq!(chain.states(), CLOSED, "{nested:?} {end:?}");
        let patient = send(&chain.outer, end.0, Relay(call(30)), Context::new());
        assert_eq!(patient, Ok(30));
    }
}

#[test]
fn slow_after_opens_every_breaker_of_a_nested_dispatch() {
    for (nested, end) in ends() {
        let chain = chain(None, Some(30_000), nested);
        for _ in 0..2 {
            chain.hasty(end, 1000, HANGS);
        }
        assert_eq!(chain.states(), OPEN, "{nested:?} {end:?}");
    }
}

/// The handler in the middle is the backend of the outer and the caller of the nested dispatch.
#[test]
fn a_timeout_is_a_failure_for_outer_layers_and_haste_for_inner_layers() {
    for (nested, (lane, _)) in ends() {
        let outer = chain(Some(10), Some(30_000), nested);
        let inner = chain(None, Some(10), nested);
        for chain in [&outer, &inner] {
            for _ in 0..2 {
                let relay = Relay(call(HANGS));
                assert!(send(&chain.outer, lane, relay, Context::new()).is_err());
            }
        }
        assert_eq!(outer.states(), [State::Open, State::Closed]);
        assert_eq!(inner.states(), OPEN);
    }
}
