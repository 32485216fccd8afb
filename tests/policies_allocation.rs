//! A message that its layers let pass, and whose handler does not wait, costs no allocation.

#[path = "support/counting.rs"]
mod counting;

use std::pin::pin;
use std::sync::Arc;
use std::task::{Context as Task, Poll, Waker};
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::cache::Outdated;
use arcbus::middleware::rate_limit::{KeyedRateLimit, Rate, RateLimit};
use arcbus::middleware::{
    AdaptiveLimit, Authorize, Bulkhead, Cache, Cacheable, Chaos, CircuitBreaker, Invalidates,
    MapError, ProductionConfig, ProductionLayers, Timeout, Validation, When,
};
use arcbus::{
    BusBuilder, Command, CommandBus, Context, Error, Handler, Message, MessageType, Query,
    QueryBus, Stack, from_fn,
};
use counting::{Counting, NOTHING, count};

#[global_allocator]
static ALLOCATOR: Counting = Counting;

const WARM_UP: usize = 50;
const ROUNDS: usize = 1000;
/// Far enough away that it never comes.
const LATER: Duration = Duration::from_secs(3600);

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

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler is ready at once"),
    }
}

/// Dispatches in both lanes, through the layers of `builder`.
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

#[test]
fn a_timeout() {
    assert_allocates_nothing(QueryBus::builder().layer(Timeout::new(LATER).grace(LATER)));
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
fn what_acts_on_some_messages() {
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

/// Asks by a string, for a reply that is shared.
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
fn a_command_that_changes_nothing_of_a_cache() {
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
fn a_trace_to_which_nobody_listens() {
    assert_allocates_nothing(QueryBus::builder().layer(arcbus::middleware::Trace::new()));
}
