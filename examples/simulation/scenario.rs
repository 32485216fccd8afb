//! The scenarios: a timeline, and the layers between callers and backend.

use std::fmt;
use std::time::Duration;

use arcbus::middleware::{
    AdaptiveLimit, Bulkhead, CircuitBreaker, ProductionConfig, ProductionLayers, RateLimit, Timeout,
};
use arcbus::{FakeClock, Layers, QueryBus, RegistrationError, Stack};

use super::backend::{Backend, GetQuote};
use super::naive::NaiveRetry;
use super::timeline::{BAD_DAY, LONG_TAIL, Timeline};

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
    BAD_DAY "rate limit": |_| Layers::new().layer(rate_limit()).layer(timeout());
    BAD_DAY "bulkhead": |_| Layers::new().layer(bulkhead()).layer(timeout());
    BAD_DAY "adaptive limit": |_| Layers::new().layer(adaptive()).layer(timeout());
    BAD_DAY "breaker": |_| Layers::new().layer(breaker()).layer(timeout());
    BAD_DAY "breaker, naive retry": |_| Layers::new().wrap(naive()).layer(breaker()).layer(timeout());
    BAD_DAY "preset": |_| ProductionLayers::queries(production());
    LONG_TAIL "tail": |_| Layers::new().layer(timeout());
};

/// The scenario `name`.
///
/// # Panics
///
/// If there is none.
pub(crate) fn find(name: &str) -> &'static Scenario {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.unwrap_or_else(|| panic!("there is no scenario '{name}'"))
}

/// Above what one call in ten thousand takes when all is well, and four times below the callers' patience.
fn timeout() -> Timeout {
    Timeout::new(Duration::from_millis(250))
}

fn naive() -> NaiveRetry {
    NaiveRetry { attempts: 4 }
}

/// What the backend can do when it is well.
fn rate_limit() -> RateLimit {
    RateLimit::per_second(2000).burst(200)
}

/// Five times the servers: no wait in the backend is longer than four service times.
fn bulkhead() -> Bulkhead {
    Bulkhead::new(100)
}

fn adaptive() -> AdaptiveLimit {
    AdaptiveLimit::vegas().range(5, 500)
}

fn breaker() -> CircuitBreaker {
    CircuitBreaker::time_window(Duration::from_secs(1)).open_for(Duration::from_millis(500))
}

fn production() -> ProductionConfig {
    ProductionConfig::new()
        .bulkhead(bulkhead())
        .circuit_breaker(breaker())
        .timeout(timeout())
}

impl fmt::Debug for Scenario {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Scenario({})", self.name)
    }
}
