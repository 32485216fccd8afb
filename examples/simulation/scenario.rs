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

/// A combination of layers on a certain timeline.
pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    pub(crate) timeline: &'static Timeline,
    pub(crate) bus: fn(Site) -> Result<QueryBus, RegistrationError>,
}

/// The surroundings in which a scenario builds its bus.
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

/// All scenarios of the simulation, each a timeline, a name and the layers.
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

/// Returns the timeout of an attempt. It exceeds the time of all but one call in ten thousand of a
/// healthy backend, and is a quarter of the callers' patience.
fn timeout() -> Timeout {
    Timeout::new(Duration::from_millis(250))
}

fn naive() -> NaiveRetry {
    NaiveRetry { attempts: 4 }
}

/// Number of attempts that a message gets from a retry, including the first attempt.
const ATTEMPTS: u32 = 4;
/// The first pause, before jitter spreads it.
pub(crate) const FIRST_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause, which precedes the last attempt.
pub(crate) const LONGEST_PAUSE: Duration = Duration::from_millis(400);
/// The budget of repeats: a number for each message, a number for each second, and a number saved
/// up.
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

/// Returns a retry without jitter, so that all calls that failed together are retried together.
fn in_step(site: &Site) -> Retry {
    retry(site).jitter(Jitter::None).without_budget()
}

/// Returns a rate limit at the capacity of a healthy backend.
fn rate_limit() -> RateLimit {
    RateLimit::per_second(2000).burst(200)
}

/// Returns a bulkhead of five times the servers, so that a call waits for at most four service
/// times.
fn bulkhead() -> Bulkhead {
    Bulkhead::new(100)
}

/// Returns a limit that begins at the number of servers.
fn vegas() -> AdaptiveLimit {
    AdaptiveLimit::vegas().range(20, 500)
}

/// Returns a limit for which calls that take half of the timeout are slow.
fn aimd() -> AdaptiveLimit {
    AdaptiveLimit::aimd(Duration::from_millis(125)).range(20, 500)
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::time_window(Duration::from_secs(1)).open_for(Duration::from_millis(500))
}

/// Returns a hedge after the time in which nineteen of twenty calls complete.
fn hedge() -> Hedge {
    Hedge::quantile(0.95).samples(1000).budget(budget())
}

/// Returns a cache whose replies are at most a second old.
fn cache() -> Cache {
    Cache::ttl(Duration::from_secs(1)).jitter(0.0)
}

/// Returns a cache that prefers replies of up to eleven seconds to errors.
fn stale_cache() -> Cache {
    cache().stale_while_revalidate(Duration::from_secs(10))
}

/// Returns the layers of the library's production preset, with the retry of this simulation.
fn preset(site: &Site) -> Layers<RetryingStack<Retry>> {
    let config = ProductionConfig::new()
        .metrics(Metrics::new().layer())
        .bulkhead(bulkhead())
        .circuit_breaker(breaker())
        .timeout(timeout());
    ProductionLayers::retrying(config, patience(), retry(site))
}

/// Returns the layers of the preset, with an adaptive limit in the place of the bulkhead.
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

/// Returns a timeout that ends when the callers stop waiting.
fn patience() -> Timeout {
    Timeout::new(PATIENCE)
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scenario({})", self.name)
    }
}
