//! [`Chaos`]: the settings of the layer that injects faults.

use std::any::TypeId;
use std::fmt;
use std::time::Duration;

use super::{ChaosMiddleware, ChaosPolicy};
use crate::message::Message;
use crate::middleware::Handles;
use crate::middleware::handles::Settings;
use crate::outcome::{Error, ErrorKind, Phase, TimeLimit};
use crate::pipeline::{Facts, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Makes some dispatches slow, fail or panic, for tests and game days. A seed makes the choice repeatable,
/// and the rates can be changed while the program runs.
///
/// A dispatch that is chosen to fail or to panic does not reach the inner service. The panic is real, and is
/// caught like a panic of the handler.
///
/// ```
/// use arcbus::middleware::Chaos;
/// use arcbus::{Context, Message, Query, QueryBus, from_fn};
///
/// struct Ping;
/// impl Message for Ping {
///     const NAME: &'static str = "ping";
///     type Kind = Query;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let chaos = Chaos::seeded(42).failures(0.5);
/// let handles = chaos.handles();
/// let bus = QueryBus::builder()
///     .layer(chaos)
///     .register(from_fn(|_: Ping, _: &Context<'_>| Ok(())))
///     .build()?;
/// let failed = (0..1000).filter(|_| bus.execute_blocking(Ping).is_err()).count();
/// assert!((400..600).contains(&failed));
///
/// handles.get("ping").expect("registered").set_failures(0.0)?;
/// assert!(bus.execute_blocking(Ping).is_ok());
/// # Ok(())
/// # }
/// ```
///
/// A clone makes instances of its own, for routes of its own. [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone)]
pub struct Chaos<F = TimedOut> {
    seed: u64,
    pub(super) latency: Duration,
    delays: f64,
    failures: f64,
    panics: f64,
    error: F,
    handles: Handles<ChaosPolicy>,
}

/// The default error of a dispatch that [`Chaos`] chose to fail. The error is a layer's
/// [`Timeout`](Error::Timeout) while the handler ran, which every policy counts as a failure.
#[derive(Clone, Copy, Debug)]
pub struct TimedOut;

/// Makes the error of a dispatch that [`Chaos`] chose to fail.
pub trait MakeError<M: Message>: Clone + Send + Sync + 'static {
    /// Returns the error that replaces the outcome of the dispatch.
    fn error(&self) -> Error<M::Error>;
}

impl<M: Message> MakeError<M> for TimedOut {
    fn error(&self) -> Error<M::Error> {
        Error::Timeout {
            phase: Phase::Indeterminate,
            elapsed: Duration::ZERO,
            limit: TimeLimit::Layer,
        }
    }
}

impl<M, F> MakeError<M> for F
where
    M: Message,
    F: Fn() -> Error<M::Error> + Clone + Send + Sync + 'static,
{
    fn error(&self) -> Error<M::Error> {
        self()
    }
}

impl Chaos {
    /// Creates a layer whose rates are all 0. Each route draws its own sequence from `seed` and the name of
    /// its message.
    #[must_use]
    pub fn seeded(seed: u64) -> Self {
        Self {
            seed,
            latency: Duration::ZERO,
            delays: 0.0,
            failures: 0.0,
            panics: 0.0,
            error: TimedOut,
            handles: Handles::default(),
        }
    }
}

impl<F> Chaos<F> {
    /// Delays the part `rate` of the dispatches by `latency`. Range: 0 to 1. Default: none.
    #[must_use]
    pub fn latency(mut self, rate: f64, latency: Duration) -> Self {
        (self.delays, self.latency) = (rate, latency);
        self
    }

    /// Fails the part `rate` of the dispatches. Range: 0 to 1. Default: none.
    #[must_use]
    pub fn failures(mut self, rate: f64) -> Self {
        self.failures = rate;
        self
    }

    /// Panics in the part `rate` of the dispatches that do not fail. Range: 0 to 1. Default: none.
    #[must_use]
    pub fn panics(mut self, rate: f64) -> Self {
        self.panics = rate;
        self
    }

    /// Fails dispatches with the error that `error` makes. Default: [`TimedOut`].
    #[must_use]
    pub fn error<G>(self, error: G) -> Chaos<G> {
        Chaos {
            seed: self.seed,
            latency: self.latency,
            delays: self.delays,
            failures: self.failures,
            panics: self.panics,
            error,
            handles: self.handles,
        }
    }

    /// Returns the policies of the routes, through which their rates can be changed.
    #[must_use]
    pub fn handles(&self) -> Handles<ChaosPolicy> {
        self.handles.clone()
    }

    fn policy(&self, route: &str) -> Result<ChaosPolicy, InvalidSetting> {
        let mix = |seed: u64, byte: u8| seed.rotate_left(5) ^ u64::from(byte);
        let policy = ChaosPolicy::new(route.bytes().fold(self.seed, mix));
        set_rates(&policy, [self.delays, self.failures, self.panics])?;
        Ok(policy)
    }
}

fn set_rates(
    policy: &ChaosPolicy,
    [delays, failures, panics]: [f64; 3],
) -> Result<(), InvalidSetting> {
    policy.set_delays(delays)?;
    policy.set_failures(failures)?;
    policy.set_panics(panics)
}

impl<M: Message, F: MakeError<M>> Layer<M> for Chaos<F> {
    type Middleware = ChaosMiddleware<F>;

    const ROLE: Role = Role::Chaos;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let policy = self.policy(route.name())?;
        let settings = Settings {
            fixed: self.seed,
            limits: [self.delays, self.failures, self.panics],
        };
        let previous = previous.map(|previous| &previous.policy);
        let policy = self.handles.keep_with_limits_or_add(
            route,
            previous,
            policy,
            settings,
            |policy, rates, _| set_rates(policy, rates),
        );
        let error = self.error.clone();
        Ok(ChaosMiddleware::new(policy, self.latency, error))
    }

    /// Assumes that all rates are 1, because the rates can be changed at run time.
    fn facts(&self) -> Facts {
        let facts = Facts::new().waits(self.latency).live();
        let facts = if TypeId::of::<F>() == TypeId::of::<TimedOut>() {
            facts
                .fails_with(ErrorKind::Timeout)
                .fails_with(ErrorKind::Panicked)
        } else {
            facts.fails_with_any()
        };
        facts.note(format!(
            "faults on purpose: {} fail, {} panic, {} wait {:?}",
            self.failures, self.panics, self.delays, self.latency
        ))
    }
}

impl<F> fmt::Debug for Chaos<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Chaos")
            .field("seed", &self.seed)
            .field("delays", &self.delays)
            .field("latency", &self.latency)
            .field("failures", &self.failures)
            .field("panics", &self.panics)
            .finish_non_exhaustive()
    }
}
