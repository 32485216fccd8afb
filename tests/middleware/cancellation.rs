//! Every layer around a handler that waits. The dispatch is dropped at each of its waits, or
//! stopped by its token, and leaves nothing behind.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::circuit_breaker::State;
use arcbus::middleware::rate_limit::Rate;
use arcbus::middleware::{
    AdaptiveLimit, Authorize, Bulkhead, CircuitBreaker, KeyedRateLimit, MapError, ProductionConfig,
    ProductionLayers, RateLimit, Timeout, Validation, When,
};
use arcbus::{
    BusBuilder, CancelToken, Context, Error, FakeClock, Handler, Message, MessageType, Phase,
    Query, QueryBus, Stack,
};

use crate::acts::poll_once;

/// Number of times that the handler waits before its reply.
const WAITS: u32 = 3;
/// Time by which the clock moves between two polls of the dispatch.
const STEP: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3600);

#[derive(Clone, Default)]
struct Job {
    waits: u32,
    fails: bool,
    /// A token that the handler cancels in the middle of its work.
    token: Option<CancelToken>,
}

impl Message for Job {
    const NAME: &'static str = "job";
    type Kind = Query;
    type Reply = ();
    type Error = String;
}

struct Worker;

impl Handler<Job> for Worker {
    async fn handle(&self, job: Job, _cx: &Context<'_>) -> Result<(), String> {
        if let Some(token) = &job.token {
            token.cancel();
        }
        let mut left = job.waits;
        poll_fn(|task| match left {
            0 => Poll::Ready(()),
            _ => {
                left -= 1;
                task.waker().wake_by_ref();
                Poll::Pending
            }
        })
        .await;
        if job.fails {
            Err("asked to".into())
        } else {
            Ok(())
        }
    }
}

fn waiting(waits: u32) -> Job {
    Job {
        waits,
        ..Job::default()
    }
}

fn poll(clock: &FakeClock, dispatch: Pin<&mut impl Future<Output = Result<(), Error<String>>>>) {
    assert!(poll_once(dispatch).is_pending());
    clock.advance(STEP);
}

/// Checks that no dispatch leaves anything behind, for which `is_idle` must return true.
fn leaves_nothing<S: Stack<Job>>(bus: BusBuilder<Query, S>, is_idle: impl Fn() -> bool) {
    let clock = FakeClock::new();
    let bus = bus
        .clock(clock.clone())
        .register::<Job, _>(Worker)
        .build()
        .expect("sound");
    // The failure opens the breaker, which is half open after an hour.
    let fails = Job {
        fails: true,
        ..Job::default()
    };
    assert!(bus.execute_blocking(fails).is_err());
    clock.advance(HOUR);
    for polls in 0..=WAITS {
        let mut dispatch = Box::pin(bus.execute(waiting(WAITS)));
        for _ in 0..polls {
            poll(&clock, dispatch.as_mut());
        }
        drop(dispatch);
        assert!(is_idle(), "dropped after {polls} polls");
    }
    for polls in 0..=WAITS {
        let token = CancelToken::new();
        let cx = Context::new().cancel_on(token.clone());
        let mut dispatch = Box::pin(bus.execute_with(waiting(u32::MAX), cx));
        for _ in 0..polls {
            poll(&clock, dispatch.as_mut());
        }
        token.cancel();
        let Poll::Ready(Err(Error::Cancelled { phase })) = poll_once(dispatch.as_mut()) else {
            panic!("not cancelled after {polls} polls");
        };
        assert!(polls > 0 || phase == Phase::NotStarted);
        assert!(is_idle(), "cancelled after {polls} polls");
    }
    clock.advance(HOUR);
    let token = CancelToken::new();
    let job = Job {
        token: Some(token.clone()),
        ..waiting(u32::MAX)
    };
    let phase = Phase::Indeterminate;
    let stopped = bus.execute_blocking_with(job, Context::new().cancel_on(token));
    assert_eq!(stopped, Err(Error::Cancelled { phase }));
    assert!(is_idle(), "stopped on its thread");
    clock.advance(HOUR);
    assert_eq!(bus.execute_blocking(waiting(WAITS)), Ok(()));
    assert!(is_idle(), "at its end");
}

fn bus() -> BusBuilder<Query> {
    QueryBus::builder()
}

fn always() -> bool {
    true
}

#[test]
fn layers_without_permits_leave_nothing_behind() {
    leaves_nothing(bus().layer(Validation::new()), always);
    let everybody = |_: MessageType, _: &Context<'_>| Ok(());
    leaves_nothing(bus().layer(Authorize::new(everybody)), always);
    leaves_nothing(
        bus().layer(MapError::new(|error: Error<String>, _: &Context<'_>| error)),
        always,
    );
    leaves_nothing(bus().layer(Timeout::new(HOUR * 9)), always);
    leaves_nothing(bus().layer(Timeout::new(HOUR * 9).grace(HOUR)), always);
}

#[test]
fn permits() {
    let limit = Bulkhead::new(1);
    let handles = limit.handles();
    let is_idle = || {
        handles
            .get("job")
            .is_some_and(|policy| policy.usage().in_use == 0)
    };
    leaves_nothing(bus().layer(limit), is_idle);

    let limit = Bulkhead::new(1).queue(1, HOUR);
    let handles = limit.handles();
    let is_idle = || {
        let usage = handles.get("job").expect("registered").usage();
        (usage.in_use, usage.waiting) == (0, 0)
    };
    leaves_nothing(bus().layer(limit), is_idle);

    let limit = AdaptiveLimit::aimd(STEP * 1_000).initial(1).range(1, 1);
    let handles = limit.handles();
    let is_idle = || {
        handles
            .get("job")
            .is_some_and(|policy| policy.usage().in_flight == 0)
    };
    leaves_nothing(bus().layer(limit), is_idle);
}

#[test]
fn probes() {
    let closed = CircuitBreaker::consecutive(2);
    let handles = closed.handles();
    let is_closed = || {
        handles
            .get("job")
            .is_some_and(|policy| policy.state() == State::Closed)
    };
    leaves_nothing(bus().layer(closed), is_closed);

    // Each dispatch is the only probe, so the next one is rejected unless the permit was given
    // back.
    let open = CircuitBreaker::consecutive(1).half_open_probes(1);
    leaves_nothing(bus().layer(open), always);
}

#[test]
fn tokens_and_keys() {
    leaves_nothing(bus().layer(RateLimit::per_second(1_000)), always);

    let limit = RateLimit::new(1, STEP).burst(1).wait_at_most(STEP * 10);
    leaves_nothing(bus().layer(limit), always);

    let limit =
        KeyedRateLimit::by(Rate::per_second(1_000), |_: &Job, _: &Context<'_>| 7_u32).max_keys(1);
    let handles = limit.handles();
    let is_idle = || handles.get("job").is_some_and(|policy| policy.keys() <= 1);
    leaves_nothing(bus().layer(limit), is_idle);
}

#[test]
fn a_whole_stack_leaves_nothing_behind() {
    let metrics = Metrics::new();
    let is_idle = || {
        let snapshot = metrics.snapshot();
        snapshot.route("job").expect("registered").in_flight() == 0
    };
    leaves_nothing(bus().layer(metrics.layer()), is_idle);

    let limit = Bulkhead::new(1);
    let handles = limit.handles();
    let config = ProductionConfig::new()
        .metrics(metrics.layer())
        .timeout(Timeout::new(HOUR * 9))
        .rate_limit(RateLimit::per_second(1_000))
        .bulkhead(limit)
        .circuit_breaker(CircuitBreaker::consecutive(1).half_open_probes(1));
    let permits = || {
        handles
            .get("job")
            .is_some_and(|policy| policy.usage().in_use == 0)
    };
    let layers = ProductionLayers::queries(config);
    leaves_nothing(bus().layers(&layers), || is_idle() && permits());
}

#[test]
fn a_layer_under_a_predicate() {
    let limit = Bulkhead::new(1);
    let handles = limit.handles();
    let is_idle = || {
        handles
            .get("job")
            .is_some_and(|policy| policy.usage().in_use == 0)
    };
    leaves_nothing(
        bus().layer(When::new(|_: &Job, _: &Context<'_>| true, limit)),
        is_idle,
    );
}
