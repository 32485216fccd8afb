//! A message that passes its layers, and whose handler does not wait, costs no allocation.

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use crate::counting::{Count, NOTHING, count};
use arcbus::metrics::Metrics;
use arcbus::middleware::cache::Outdated;
use arcbus::middleware::rate_limit::{KeyedRateLimit, Rate, RateLimit};
use arcbus::middleware::{
    AdaptiveLimit, Authorize, Budget, Bulkhead, Cache, Cacheable, Chaos, CircuitBreaker, Fallback,
    Hedge, Idempotency, IdempotencyKey, Invalidates, MapError, ProductionConfig, ProductionLayers,
    Retry, Timeout, Validation, When,
};
use arcbus::{
    BusBuilder, Command, CommandBus, Context, Error, Handler, Message, MessageType, Query,
    QueryBus, Stack, from_async_fn, from_fn,
};

const WARM_UP: usize = 50;
const ROUNDS: usize = 1000;
/// A time far enough away to be never reached.
const LATER: Duration = Duration::from_secs(3600);

#[derive(Clone)]
struct Double(u64);

impl Message for Double {
    const NAME: &'static str = "double";
    type Kind = Query;
    type Reply = u64;
    type Error = String;
}

struct Doubler;

impl Handler<Double> for Doubler {
    async fn handle(&self, msg: Double, _cx: &Context<'_>) -> Result<u64, String> {
        Ok(msg.0 * 2)
    }
}

/// A handler whose error allocates nothing.
struct Fails;

impl Handler<Double> for Fails {
    async fn handle(&self, _msg: Double, _cx: &Context<'_>) -> Result<u64, String> {
        Err(String::new())
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler is ready at once"),
    }
}

/// Dispatches in both lanes through the layers of `builder`, and asserts that nothing is allocated.
fn assert_allocates_nothing<S: Stack<Double>>(builder: BusBuilder<Query, S>) {
    let bus = builder.register(Doubler).build().expect("in range");
    let dispatch = || {
        assert_eq!(bus.execute_blocking(Double(1)), Ok(2));
        assert_eq!(ready(bus.execute(Double(2))), Ok(4));
    };
    (0..WARM_UP).for_each(|_| dispatch());
    assert_eq!(count(|| (0..ROUNDS).for_each(|_| dispatch())), NOTHING);
}

#[test]
fn an_adaptive_limit() {
    assert_allocates_nothing(QueryBus::builder().layer(AdaptiveLimit::vegas()));
    assert_allocates_nothing(QueryBus::builder().layer(AdaptiveLimit::aimd(LATER / 360).window(1)));
}

#[test]
fn a_bulkhead() {
    assert_allocates_nothing(QueryBus::builder().layer(Bulkhead::new(1)));
    assert_allocates_nothing(QueryBus::builder().layer(Bulkhead::new(1).queue(1, LATER)));
}

#[test]
fn a_circuit_breaker() {
    assert_allocates_nothing(QueryBus::builder().layer(CircuitBreaker::consecutive(1)));
    let windows = [
        CircuitBreaker::count_window(100),
        CircuitBreaker::time_window(Duration::from_millis(10)),
    ];
    for breaker in windows {
        let breaker = breaker.slow_calls(LATER, 0.5);
        assert_allocates_nothing(QueryBus::builder().layer(breaker));
    }
}

/// A command that may carry an idempotency key in its context.
#[derive(Hash)]
struct Pay(u64);

impl Message for Pay {
    const NAME: &'static str = "pay";
    type Kind = Command;
    type Reply = u64;
    type Error = String;
}

#[test]
fn an_idempotency() {
    const KEYS: usize = 10 * ROUNDS;
    let bus = CommandBus::builder()
        .layer(Idempotency::in_memory(LATER))
        .register(from_fn(|msg: Pay, _: &Context<'_>| Ok(msg.0)))
        .build()
        .expect("in range");
    let without_key = || {
        assert_eq!(bus.execute_blocking(Pay(1)), Ok(1));
        assert_eq!(ready(bus.execute(Pay(1))), Ok(1));
    };
    (0..WARM_UP).for_each(|_| without_key());
    assert_eq!(count(|| (0..ROUNDS).for_each(|_| without_key())), NOTHING);

    let with_key = |key: usize| {
        let cx = || Context::new().with(IdempotencyKey::new(key.to_string()));
        let (first, second) = (cx(), cx());
        let run = count(|| assert_eq!(bus.execute_blocking_with(Pay(1), first.clone()), Ok(1)));
        let again = count(|| assert_eq!(ready(bus.execute_with(Pay(1), second.clone())), Ok(1)));
        (run, again)
    };
    let counts: Vec<_> = (0..KEYS).map(with_key).collect();
    // The first run allocates the list of waiters, freed at its end, and the kept reply. The few
    // runs in which the tables grow are left out.
    let (kept, replayed) = (
        Count {
            allocated: 2,
            freed: 1,
        },
        Count {
            allocated: 1,
            freed: 1,
        },
    );
    let runs = counts.iter().filter(|(run, _)| *run == kept);
    let share = runs.count() as f64 / KEYS as f64;
    assert!(share > 0.9, "{share}: {:?}", counts[KEYS - 1].0);
    assert!(
        counts[KEYS / 2..]
            .iter()
            .all(|(_, again)| *again == replayed)
    );
}

#[test]
fn a_timeout() {
    assert_allocates_nothing(QueryBus::builder().layer(Timeout::new(LATER).grace(LATER)));
}

#[test]
fn a_retry() {
    assert_allocates_nothing(QueryBus::builder().layer(Retry::exponential(3, LATER / 3600)));
    let permanent = |error: &Error<String>| error.is_handler();
    let retry = Retry::fixed(3, Duration::ZERO).without_budget();
    assert_allocates_nothing(QueryBus::builder().layer(retry.retry_if(permanent)));
}

/// Later messages pay into the budget again.
#[test]
fn a_retry_whose_budget_is_not_full() {
    let budget = Budget::new(0.001).burst(1_000);
    (0..900).for_each(|_| assert!(budget.try_take(LATER)));
    let retry = Retry::fixed(3, Duration::ZERO).budget(budget.clone());
    assert_allocates_nothing(QueryBus::builder().layer(retry));
    assert!(budget.available() > 100.0 && budget.available() < 200.0);
}

#[test]
fn a_retry_that_does_not_repeat_an_error() {
    let retry = Retry::fixed(3, Duration::ZERO).retry_if(|_: &Error<String>| false);
    let bus = QueryBus::builder()
        .layer(retry)
        .register(Fails)
        .build()
        .expect("in range");
    let dispatch = || {
        assert!(bus.execute_blocking(Double(1)).is_err());
        assert!(ready(bus.execute(Double(2))).is_err());
    };
    (0..WARM_UP).for_each(|_| dispatch());
    assert_eq!(count(|| (0..ROUNDS).for_each(|_| dispatch())), NOTHING);
}

#[test]
fn metrics() {
    assert_allocates_nothing(QueryBus::builder().layer(Metrics::new().layer()));
}

#[test]
fn a_validation_and_an_authorization() {
    let everybody = |_: MessageType, _: &Context<'_>| Ok(());
    let builder = QueryBus::builder().layer(Validation::new());
    assert_allocates_nothing(builder.layer(Authorize::new(everybody)));
}

#[test]
fn a_rate_limit() {
    let limit = || RateLimit::per_second(1_000_000_000);
    assert_allocates_nothing(QueryBus::builder().layer(limit()));
    assert_allocates_nothing(QueryBus::builder().layer(limit().wait_at_most(LATER)));
    let rate = Rate::per_second(1_000_000_000);
    let by = KeyedRateLimit::by(rate, |msg: &Double, _| msg.0);
    assert_allocates_nothing(QueryBus::builder().layer(by));
    let by_ref = KeyedRateLimit::by_ref(rate, |msg: &Double, _| match msg.0 {
        1 => "one",
        _ => "a name of which a copy would be allocated",
    });
    assert_allocates_nothing(QueryBus::builder().layer(by_ref));
}

#[test]
fn a_fallback() {
    assert_allocates_nothing(QueryBus::builder().layer(Fallback::value(7)));
    let with = |_: &Error<String>, msg: &Double| Some(msg.0);
    assert_allocates_nothing(QueryBus::builder().layer(Fallback::with(with)));
    assert_allocates_nothing(QueryBus::builder().layer(Fallback::handler::<Double>(Doubler)));
}

#[test]
fn a_hedge() {
    assert_allocates_nothing(QueryBus::builder().layer(Hedge::after(LATER)));
    assert_allocates_nothing(QueryBus::builder().layer(Hedge::after(Duration::ZERO)));
    let measured = || Hedge::quantile(0.95).samples(1);
    assert_allocates_nothing(QueryBus::builder().layer(measured()));
    let pinned = measured().min_delay(LATER).max_delay(LATER);
    assert_allocates_nothing(QueryBus::builder().layer(pinned));
}

/// Returns the number of allocations of a dispatch whose handler waits once.
fn allocated_in_a_wait<S: Stack<Double>>(builder: BusBuilder<Query, S>) -> u64 {
    let once = async |msg: Double, _: &Context<'_>| {
        let mut waited = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut waited, true) {
            false => Poll::Pending,
            true => Poll::Ready(()),
        })
        .await;
        Ok::<u64, String>(msg.0)
    };
    let bus = builder
        .register(from_async_fn(once))
        .build()
        .expect("in range");
    let dispatch = || {
        let mut waiting = pin!(bus.execute(Double(1)));
        let mut task = Task::from_waker(Waker::noop());
        assert!(waiting.as_mut().poll(&mut task).is_pending());
        assert!(waiting.poll(&mut task).is_ready());
    };
    (0..WARM_UP).for_each(|_| dispatch());
    let counted = count(|| (0..ROUNDS).for_each(|_| dispatch()));
    // Only the timers' queue may grow, and its memory stays.
    assert!(
        counted.allocated.abs_diff(counted.freed) < 16,
        "{counted:?}"
    );
    counted.allocated
}

#[test]
fn a_wait_without_a_hedge_costs_only_the_alarm() {
    let timed = allocated_in_a_wait(QueryBus::builder().layer(Timeout::new(LATER)));
    assert!(allocated_in_a_wait(QueryBus::builder().layer(Hedge::after(LATER))) < timed);
    let measured = Hedge::quantile(0.95).samples(1_000_000);
    assert_eq!(allocated_in_a_wait(QueryBus::builder().layer(measured)), 0);
}

#[test]
fn a_layer_for_some_messages() {
    let map = |error: Error<String>, _: &Context<'_>| error;
    assert_allocates_nothing(QueryBus::builder().layer(MapError::new(map)));
    assert_allocates_nothing(QueryBus::builder().layer(Chaos::seeded(1)));
    let odd = |msg: &Double, _: &Context<'_>| msg.0 % 2 == 1;
    assert_allocates_nothing(QueryBus::builder().layer(When::new(odd, Bulkhead::new(1))));
}

#[test]
fn a_whole_stack() {
    let config = ProductionConfig::new()
        .metrics(Metrics::new().layer())
        .timeout(Timeout::new(LATER))
        .rate_limit(RateLimit::per_second(1_000_000_000))
        .bulkhead(Bulkhead::new(1))
        .circuit_breaker(CircuitBreaker::count_window(100).slow_calls(LATER, 0.5));
    assert_allocates_nothing(QueryBus::builder().layers(&ProductionLayers::queries(config)));
}

impl Cacheable for Double {
    type Key = u64;
    fn key(&self) -> &u64 {
        &self.0
    }
}

/// A query with a string as its key and a shared reply.
struct Name(&'static str);

impl Message for Name {
    const NAME: &'static str = "name";
    type Kind = Query;
    type Reply = Arc<str>;
    type Error = String;
}

impl Cacheable for Name {
    type Key = str;
    fn key(&self) -> &str {
        self.0
    }
}

#[derive(Clone, PartialEq, Eq, Hash)]
struct Tenant(String);

#[test]
fn a_hit_of_a_cache() {
    assert_allocates_nothing(QueryBus::builder().layer(Cache::ttl(LATER)));
    let stale = Cache::ttl(LATER).stale_while_revalidate(LATER);
    assert_allocates_nothing(QueryBus::builder().layer(stale.cache_errors(LATER)));

    let name = |msg: Name, _: &Context<'_>| Ok(Arc::from(msg.0));
    let bus = QueryBus::builder()
        .layer(Cache::ttl(LATER).vary_by::<Tenant>())
        .register(from_fn(name))
        .build()
        .expect("in range");
    let cx = Context::new().with(Tenant("a tenant of some length".into()));
    let dispatch = || {
        let long = "a name of which a copy would be allocated";
        let reply = bus.execute_blocking_in(&cx, Name(long));
        assert_eq!(reply.as_deref(), Ok(long));
        assert_eq!(ready(bus.execute_in(&cx, Name(long))).as_deref(), Ok(long));
    };
    (0..WARM_UP).for_each(|_| dispatch());
    assert_eq!(count(|| (0..ROUNDS).for_each(|_| dispatch())), NOTHING);
}

struct Put(u64);

impl Message for Put {
    const NAME: &'static str = "put";
    type Kind = Command;
    type Reply = ();
    type Error = String;
}

impl Invalidates<Double> for Put {
    fn invalidates(&self) -> Outdated<Double> {
        match self.0 {
            0 => Outdated::Nothing,
            key => Outdated::Key(key),
        }
    }
}

#[test]
fn a_command_that_invalidates_no_key() {
    let cache = Cache::ttl(LATER);
    let bus = CommandBus::builder()
        .layer(cache.invalidator::<Double>())
        .register(from_fn(|_: Put, _: &Context<'_>| Ok(())))
        .build()
        .expect("in range");
    let dispatch = || {
        assert_eq!(bus.execute_blocking(Put(0)), Ok(()));
        assert_eq!(ready(bus.execute(Put(0))), Ok(()));
    };
    (0..WARM_UP).for_each(|_| dispatch());
    assert_eq!(count(|| (0..ROUNDS).for_each(|_| dispatch())), NOTHING);
}

#[test]
#[cfg(feature = "tracing")]
fn a_trace_without_a_subscriber() {
    assert_allocates_nothing(QueryBus::builder().layer(arcbus::middleware::Trace::new()));
}
