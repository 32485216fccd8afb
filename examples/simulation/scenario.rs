//! The scenarios: a timeline, and the layers between callers and backend.

use std::fmt;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::production::RetryingStack;
use arcbus::middleware::retry::Jitter;
use arcbus::middleware::{
    AdaptiveLimit, Budget, Bulkhead, Cache, CircuitBreaker, Coalesce, Hedge, ProductionConfig,
    ProductionLayers, RateLimit, Retry, Timeout,
};
use arcbus::{FakeClock, Layers, QueryBus, RegistrationError, Stack};

use super::backend::{Backend, GetQuote};
use super::naive::NaiveRetry;
use super::timeline::{BAD_DAY, HICCUPS, LONG_TAIL, Timeline};
use super::world::PATIENCE;

/// Which layers on which day.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) timeline: &'static Timeline,
    pub(crate) bus: fn(Site) -> Result<QueryBus, RegistrationError>,
}

/// Where a bus is built.
#[derive(Debug)]
pub(crate) struct Site {
    pub(crate) backend: Backend,
    pub(crate) clock: FakeClock,
    pub(crate) seed: u64,
}

impl Site {
    fn bus<S: Stack<GetQuote>>(self, layers: &Layers<S>) -> Result<QueryBus, RegistrationError> {
        QueryBus::builder()
            .clock(self.clock)
            .layers(layers)
            .register(self.backend)
            .build()
    }
}

macro_rules! scenarios {
    ($($timeline:ident $name:literal: |$site:pat_param| $layers:expr;)*) => {
        &[$(Scenario {
            name: $name,
            timeline: &$timeline,
            bus: |site| { let $site = &site; let layers = $layers; site.bus(&layers) },
        }),*]
    };
}

/// All of them.
pub(crate) static SCENARIOS: &[Scenario] = scenarios! {
    BAD_DAY "none": |_| Layers::new();
    BAD_DAY "timeout": |_| Layers::new().layer(timeout());
    BAD_DAY "naive retry": |_| Layers::new().wrap(naive()).layer(timeout());
    BAD_DAY "retry": |site| Layers::new().layer(retry(site)).layer(timeout());
    BAD_DAY "retry, no budget": |site| Layers::new().layer(retry(site).without_budget()).layer(timeout());
    BAD_DAY "retry, no jitter": |site| Layers::new().layer(in_step(site)).layer(timeout());
    BAD_DAY "rate limit": |_| Layers::new().layer(rate_limit()).layer(timeout());
    BAD_DAY "bulkhead": |_| Layers::new().layer(bulkhead()).layer(timeout());
    BAD_DAY "adaptive, vegas": |_| Layers::new().layer(vegas()).layer(timeout());
    BAD_DAY "adaptive, aimd": |_| Layers::new().layer(aimd()).layer(timeout());
    BAD_DAY "breaker": |_| Layers::new().layer(breaker()).layer(timeout());
    BAD_DAY "breaker, naive retry": |_| Layers::new().wrap(naive()).layer(breaker()).layer(timeout());
    BAD_DAY "breaker, retry": |site| Layers::new().layer(retry(site)).layer(breaker()).layer(timeout());
    BAD_DAY "hedge": |_| Layers::new().layer(hedge()).layer(timeout());
    BAD_DAY "coalesce": |_| Layers::new().layer(Coalesce::new()).layer(timeout());
    BAD_DAY "cache": |_| Layers::new().layer(cache()).layer(timeout());
    BAD_DAY "cache, stale": |_| Layers::new().layer(stale_cache()).layer(timeout());
    BAD_DAY "preset": |site| preset(site);
    BAD_DAY "preset, adaptive": |site| adaptive_preset(site);
    BAD_DAY "preset, stale": |site| Layers::new().layer(stale_cache()).layers(&preset(site));
    LONG_TAIL "tail": |_| Layers::new().layer(timeout());
    LONG_TAIL "tail, hedge": |_| Layers::new().layer(hedge()).layer(timeout());
    HICCUPS "flaky": |_| Layers::new().layer(timeout());
    HICCUPS "flaky, retry": |site| Layers::new().layer(retry(site)).layer(timeout());
};

/// Above what one call in ten thousand takes when all is well, and four times below the callers' patience.
fn timeout() -> Timeout {
    Timeout::new(Duration::from_millis(250))
}

fn naive() -> NaiveRetry {
    NaiveRetry { attempts: 4 }
}

/// How many attempts a message gets.
const ATTEMPTS: u32 = 4;
/// The first pause, before it is spread.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause, before the last attempt.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// Repeats: so many a message, so many a second besides, and so many saved up.
pub(crate) const RATIO: f64 = 0.1;
pub(crate) const MINIMUM: u32 = 10;
pub(crate) const BURST: u32 = 100;

fn budget() -> Budget {
    Budget::new(RATIO).minimum_per_second(MINIMUM).burst(BURST)
}

fn retry(site: &Site) -> Retry {
    let retry = Retry::exponential(ATTEMPTS, FIRST_PAUSE).budget(budget());
    retry.seed(site.seed)
}

/// All who failed together come back together.
fn in_step(site: &Site) -> Retry {
    retry(site).jitter(Jitter::None).without_budget()
}

/// What the backend can do when it is well.
fn rate_limit() -> RateLimit {
    RateLimit::per_second(2000).burst(200)
}

/// Five times the servers: no wait in the backend is longer than four service times.
fn bulkhead() -> Bulkhead {
    Bulkhead::new(100)
}

/// From as many as there are servers.
fn vegas() -> AdaptiveLimit {
    AdaptiveLimit::vegas().range(20, 500)
}

/// What takes half of the timeout is slow.
fn aimd() -> AdaptiveLimit {
    AdaptiveLimit::aimd(Duration::from_millis(125)).range(20, 500)
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::time_window(Duration::from_secs(1)).open_for(Duration::from_millis(500))
}

/// When nineteen of twenty would have been answered.
fn hedge() -> Hedge {
    Hedge::quantile(0.95).samples(1000).budget(budget())
}

/// A second old at most.
fn cache() -> Cache {
    Cache::ttl(Duration::from_secs(1)).jitter(0.0)
}

/// Rather eleven seconds old than none.
fn stale_cache() -> Cache {
    cache().stale_while_revalidate(Duration::from_secs(10))
}

/// The layers of a service, as arcbus has them ready.
fn preset(site: &Site) -> Layers<RetryingStack<Retry>> {
    let config = ProductionConfig::new()
        .metrics(Metrics::new().layer())
        .bulkhead(bulkhead())
        .circuit_breaker(breaker())
        .timeout(timeout());
    ProductionLayers::retrying(config, patience(), retry(site))
}

/// The same with a limit that finds itself in the place of the bulkhead.
fn adaptive_preset(site: &Site) -> Layers<impl Stack<GetQuote> + use<>> {
    let outer = ProductionConfig::new()
        .metrics(Metrics::new().layer())
        .circuit_breaker(None)
        .timeout(None);
    ProductionLayers::retrying(outer, patience(), retry(site))
        .layer(aimd())
        .layer(breaker())
        .layer(timeout())
}

/// As long as the callers wait.
fn patience() -> Timeout {
    Timeout::new(PATIENCE)
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scenario({})", self.name)
    }
}
