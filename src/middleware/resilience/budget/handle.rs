//! [`Budget`]: the handle.

use std::fmt;
use std::time::Duration;

use super::Withdrawal;
use super::savings::Savings;
use super::settings::Settings;
use crate::middleware::rate_limit::RateLimitPolicy;
use crate::pipeline::{Facts, Tie};
use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering, PlainArc};

/// How many repeats there may be: a share of the messages, and a minimum a second. See
/// [the module](super).
///
/// A handle; clones are of the same budget. Settings come before it is cloned: each of them makes a new,
/// full one.
#[derive(Clone)]
pub struct Budget(PlainArc<Shared>);

struct Shared {
    savings: Savings,
    minimum: Option<RateLimitPolicy>,
    settings: Settings,
    /// Relaxed: a tally. No partner, no model.
    exhausted: AtomicU64,
    tie: Tie,
}

impl Budget {
    /// `ratio`: how many repeats a message is worth, from 0.001 to 10, kept in thousandths. Begins full:
    /// with its [`burst`](Self::burst) saved up.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        Self::of(Settings {
            ratio,
            minimum_per_second: 10,
            burst: 100,
        })
    }

    /// How many repeats a second there may be besides, when nothing is saved: for a service with so few
    /// messages that their share is none. As many of them may come at once. From 0, none, to 1,000,000.
    /// Default: 10, as in Finagle.
    #[must_use]
    pub fn minimum_per_second(self, repeats: u32) -> Self {
        Self::of(Settings {
            minimum_per_second: repeats,
            ..self.0.settings
        })
    }

    /// How many repeats it saves up at most, from 1 to 1,000,000. It bounds what the beginning of an
    /// outage costs the backend beyond the ratio, and is what a short hiccup may use. Default: 100, what
    /// Finagle's holds in reserve by default (ten seconds of ten repeats each).
    #[must_use]
    pub fn burst(self, burst: u32) -> Self {
        Self::of(Settings {
            burst,
            ..self.0.settings
        })
    }

    fn of(settings: Settings) -> Self {
        Self(PlainArc::new(Shared {
            savings: settings.savings(),
            minimum: settings.minimum(),
            settings,
            exhausted: AtomicU64::new(0),
            tie: Tie::default(),
        }))
    }

    /// Whether its settings are in range. A layer with a budget asks when it is registered.
    ///
    /// # Errors
    ///
    /// The first setting that is not.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.0.settings.check()
    }

    /// Pays in for the first attempt of a message.
    #[inline(always)]
    pub fn deposit(&self) {
        self.0.savings.deposit();
    }

    /// Takes out one repeat: of what is saved, or else of this second's minimum. `false`: there is none,
    /// which counts as [`exhausted`](Self::exhausted).
    ///
    /// `now` is the time since an origin that never changes, as that of a
    /// [`RateLimitPolicy`]; in a bus, its clock's [`since_origin`](crate::Clock::since_origin).
    pub fn try_take(&self, now: Duration) -> bool {
        self.withdraw(now).map(Withdrawal::used).is_some()
    }

    /// The same, of what goes back if it is not used.
    #[cold]
    pub(crate) fn withdraw(&self, now: Duration) -> Option<Withdrawal<'_>> {
        let withdrawal = self.take_saved().or_else(|| self.take_of_minimum(now));
        if withdrawal.is_none() {
            self.0.exhausted.fetch_add(1, Ordering::Relaxed);
        }
        withdrawal
    }

    fn take_saved(&self) -> Option<Withdrawal<'_>> {
        let savings = &self.0.savings;
        savings.take().then(|| Withdrawal::of_savings(savings))
    }

    fn take_of_minimum(&self, now: Duration) -> Option<Withdrawal<'_>> {
        let reserved = self.0.minimum.as_ref()?.reserve(now, 1).ok()?;
        Some(Withdrawal::of_minimum(reserved))
    }

    /// How many repeats are saved up, without the minimum of the second.
    #[must_use]
    pub fn available(&self) -> f64 {
        self.0.savings.available()
    }

    /// How often a repeat was refused.
    #[must_use]
    pub fn exhausted(&self) -> u64 {
        self.0.exhausted.load(Ordering::Relaxed)
    }

    /// Tells it from others, as long as it lives.
    pub(crate) fn id(&self) -> usize {
        PlainArc::as_ptr(&self.0).addr()
    }

    /// The facts of a layer with this budget: the minimum of a second is of one clock.
    pub(crate) fn tie(&self, facts: Facts) -> Facts {
        match self.0.minimum {
            Some(_) => facts.tied(&self.0.tie),
            None => facts,
        }
    }

    /// The settings, for people: `"budget of 0.2 a message, 10 a second"`.
    pub(crate) fn note(&self) -> String {
        let settings = self.0.settings;
        let (ratio, minimum) = (settings.ratio, settings.minimum_per_second);
        format!("budget of {ratio} a message, {minimum} a second")
    }
}

/// A repeat for each five messages, and 10 a second besides: what Finagle's `RetryBudget` has.
impl Default for Budget {
    fn default() -> Self {
        Self::new(0.2)
    }
}

impl fmt::Debug for Budget {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let settings = &self.0.settings;
        f.debug_struct("Budget")
            .field("ratio", &settings.ratio)
            .field("minimum_per_second", &settings.minimum_per_second)
            .field("burst", &settings.burst)
            .field("available", &self.available())
            .field("exhausted", &self.exhausted())
            .finish()
    }
}
