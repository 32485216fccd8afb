//! [`Hedge`]: the settings of the layer that repeats slow queries.

use std::fmt;
use std::time::Duration;

use super::HedgeMiddleware;
use super::policy::{Delay, HedgePolicy, Quantile};
use crate::bounds::{MessageClone, QueryMessage};
use crate::clock::nanos;
use crate::middleware::handles::Settings;
use crate::middleware::{Budget, Handles};
use crate::pipeline::{Facts, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Runs a query a second time beside the first run when the first is slow. See [the module](super).
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::{Budget, Hedge};
///
/// let hedge = Hedge::quantile(0.95)
///     .min_delay(Duration::from_millis(1))
///     .max_delay(Duration::from_millis(100))
///     .budget(Budget::new(0.05));
/// let handles = hedge.handles(); // before the layer goes to a bus
/// # let _ = handles;
/// ```
///
/// A clone creates its own instances for its own routes. [`shared`](crate::LayerExt::shared) creates one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone)]
pub struct Hedge {
    when: When,
    min_delay: Duration,
    max_delay: Duration,
    samples: u32,
    max_hedges: u32,
    slow_after: Option<Duration>,
    budget: Option<Budget>,
    handles: Handles<HedgePolicy>,
}

/// The longest possible delay, which stands for "no maximum is set".
pub(super) const LONGEST: Duration = Duration::from_nanos(u64::MAX - 1);

/// The source of the delay: a fixed time, or a quantile of the measured latencies.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum When {
    After(Duration),
    Quantile(f64),
}

impl Hedge {
    /// Starts a hedge when the first attempt has waited for `delay`, and each further hedge `delay` after the
    /// previous one.
    ///
    /// Range: from zero (as soon as the attempt waits) to less than 584 years. There is no default: take the
    /// 95th percentile of the latency, or let the layer [measure](Hedge::quantile) the delay.
    #[must_use]
    pub fn after(delay: Duration) -> Self {
        Self::new(When::After(delay))
    }

    /// Starts a hedge when the first attempt has waited for longer than this fraction of earlier first
    /// attempts. With 0.95, one query in twenty is hedged. No hedge starts before there are enough
    /// [`samples`](Hedge::samples).
    ///
    /// Range: above 0, below 1.
    #[must_use]
    pub fn quantile(part: f64) -> Self {
        Self::new(When::Quantile(part))
    }

    fn new(when: When) -> Self {
        Self {
            when,
            min_delay: Duration::ZERO,
            max_delay: LONGEST,
            samples: 100,
            max_hedges: 1,
            slow_after: None,
            budget: None,
            handles: Handles::default(),
        }
    }

    /// Sets the shortest delay that is used, however short the measured delay is. Range: from zero up to the
    /// [longest delay](Hedge::max_delay). Default: zero.
    #[must_use]
    pub fn min_delay(mut self, delay: Duration) -> Self {
        self.min_delay = delay;
        self
    }

    /// Sets the longest delay that is used, however long the measured delay is. Range: from the [shortest
    /// delay](Hedge::min_delay) to less than 584 years. Default: the longest possible delay.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets how many latencies make up a window of the [quantile](Hedge::quantile). The first hedge needs one
    /// full window. The quantile covers the last two windows, and forgets one window at a time.
    ///
    /// Range: from 1 to 1,000,000. Default: 100, in which the 99th percentile still has a sample above it.
    #[must_use]
    pub fn samples(mut self, samples: u32) -> Self {
        self.samples = samples;
        self
    }

    /// Sets how many hedges one message may have, besides the first attempt. Range: from 1 to 10. Default: 1,
    /// which takes most of the tail away.
    #[must_use]
    pub fn max_hedges(mut self, hedges: u32) -> Self {
        self.max_hedges = hedges;
        self
    }

    /// Counts a first attempt for the [quantile](Hedge::quantile) if its caller ended the dispatch after
    /// `time` or later, and past the delay: the reply takes at least that long. A first attempt that its
    /// caller ended earlier says nothing, see [`Verdict`](crate::Verdict).
    ///
    /// Range: from 1 ns to less than 584 years. Default: none.
    #[must_use]
    pub fn slow_after(mut self, time: Duration) -> Self {
        self.slow_after = Some(time);
        self
    }

    /// Sets the budget that pays for hedges. Each first attempt that had to wait pays in when it has ended,
    /// unless its caller ended it. Each hedge withdraws one repeat. When the budget is exhausted, the first
    /// attempt continues alone. Give clones of one budget to the layers whose handlers share a backend.
    ///
    /// Default: a separate budget for each route, with one hedge for ten attempts that wait. The minimum of
    /// [`Budget`] comes on top, so that a quiet service can hedge, too.
    #[must_use]
    pub fn budget(mut self, budget: Budget) -> Self {
        self.budget = Some(budget);
        self
    }

    /// Returns the state of every route of this layer, to read the counters and to change the delay.
    #[must_use]
    pub fn handles(&self) -> Handles<HedgePolicy> {
        self.handles.clone()
    }

    /// Creates the policy alone, for use without a bus.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that is out of range.
    pub fn policy(&self) -> Result<HedgePolicy, InvalidSetting> {
        self.check()?;
        let range = (nanos(self.min_delay), nanos(self.max_delay));
        let delay = match self.when {
            When::After(delay) => Delay::fixed(nanos(delay), range),
            When::Quantile(part) => {
                Delay::measured_by(Quantile::new(part, u64::from(self.samples)), range)
            }
        };
        let budget = self.budget.clone().unwrap_or_else(default_budget);
        let slow_after = self.slow_after.map_or(u64::MAX, nanos);
        Ok(HedgePolicy::new(delay, budget, self.max_hedges, slow_after))
    }

    fn check(&self) -> Result<(), InvalidSetting> {
        match self.when {
            When::After(delay) => Self::check_delay(delay)?,
            When::Quantile(part) => InvalidSetting::unless(
                part > 0.0 && part < 1.0,
                "Hedge.quantile",
                "above 0 and below 1",
            )?,
        }
        Self::check_range(self.min_delay, self.max_delay)?;
        InvalidSetting::unless(
            (1..=1_000_000).contains(&self.samples),
            "Hedge.samples",
            "from 1 to 1000000",
        )?;
        InvalidSetting::unless(
            (1..=10).contains(&self.max_hedges),
            "Hedge.max_hedges",
            "from 1 to 10",
        )?;
        InvalidSetting::unless(
            !matches!(self.slow_after.map(nanos), Some(0 | u64::MAX)),
            "Hedge.slow_after",
            "more than zero and less than 584 years",
        )?;
        self.budget.as_ref().map_or(Ok(()), Budget::check)
    }

    pub(super) fn check_delay(delay: Duration) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            nanos(delay) != u64::MAX,
            "Hedge.delay",
            "less than 584 years",
        )
    }

    pub(super) fn check_range(min: Duration, max: Duration) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            nanos(max) != u64::MAX,
            "Hedge.max_delay",
            "less than 584 years",
        )?;
        InvalidSetting::unless(min <= max, "Hedge.min_delay", "at most `Hedge.max_delay`")
    }

    fn longest_delay(&self) -> Duration {
        match self.when {
            When::After(delay) => delay.max(self.min_delay).min(self.max_delay),
            When::Quantile(_) => self.max_delay,
        }
    }

    /// Describes the settings for people.
    fn note(&self) -> String {
        let when = match self.when {
            When::After(delay) => format!("after {delay:?}"),
            When::Quantile(part) => format!("after the {part} quantile"),
        };
        let budget = self.budget.clone().unwrap_or_else(default_budget);
        format!("{when}, at most {}, {}", self.max_hedges, budget.note())
    }
}

fn default_budget() -> Budget {
    Budget::new(0.1)
}

impl<M: QueryMessage + MessageClone> Layer<M> for Hedge {
    type Middleware = HedgeMiddleware;

    const ROLE: Role = Role::Hedge;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&HedgeMiddleware>,
    ) -> Result<HedgeMiddleware, InvalidSetting> {
        let budget = self.budget.as_ref().map(Budget::id);
        let settings = Settings {
            fixed: (
                self.when,
                self.samples,
                self.max_hedges,
                self.slow_after,
                budget,
            ),
            limits: (self.min_delay, self.max_delay),
        };
        let previous = previous.map(|previous| &previous.policy);
        let policy = self.handles.keep_with_limits_or_add(
            route,
            previous,
            self.policy()?,
            settings,
            |policy, (min, max), _| policy.set_delay_range(min, max),
        );
        Ok(HedgeMiddleware::new(policy))
    }

    fn facts(&self) -> Facts {
        let stagger = self.longest_delay().saturating_mul(self.max_hedges);
        let facts = Facts::new()
            .at_once(self.max_hedges.saturating_add(1))
            .staggers(stagger)
            .live()
            .note(self.note());
        match &self.budget {
            Some(budget) => budget.tie(facts),
            None => facts,
        }
    }
}

impl fmt::Debug for Hedge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let max_delay = (self.max_delay != LONGEST).then_some(self.max_delay);
        f.debug_struct("Hedge")
            .field("when", &self.when)
            .field("min_delay", &self.min_delay)
            .field("max_delay", &max_delay)
            .field("samples", &self.samples)
            .field("max_hedges", &self.max_hedges)
            .field("budget", &self.budget)
            .field("handles", &self.handles)
            .finish()
    }
}
