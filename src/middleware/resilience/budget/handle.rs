//! [`Budget`]: the handle that layers and callers share.

use std::fmt;
use std::time::Duration;

use super::Withdrawal;
use super::savings::Savings;
use super::settings::Settings;
use crate::middleware::rate_limit::RateLimitPolicy;
use crate::pipeline::{Facts, Tie};
use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering, PlainArc};

/// A limit on repeats: a share of the messages, and a minimum per second. See [the module](super).
///
/// This is a handle, and its clones share one budget. Choose the settings before cloning, because each
/// setting creates a new, full budget.
#[derive(Clone)]
pub struct Budget(PlainArc<Shared>);

struct Shared {
    savings: Savings,
    minimum: Option<RateLimitPolicy>,
    settings: Settings,
    /// Relaxed: a counter that publishes nothing else. No partner, no model.
    exhausted: AtomicU64,
    tie: Tie,
}

impl Budget {
    /// Creates a budget that starts full, with its whole [`burst`](Self::burst) saved up. `ratio` is the
    /// number of repeats that each message pays for, from 0.001 to 10, kept in thousandths.
    #[must_use]
    pub fn new(ratio: f64) -> Self {
        Self::of(Settings {
            ratio,
            minimum_per_second: 10,
            burst: 100,
        })
    }

    /// Sets the number of repeats per second that are allowed even when nothing is saved. This serves a
    /// service with so few messages that their share is almost none. All of them may come at once.
    ///
    /// Range: from 0, none, to 1,000,000. Default: 10, as in Finagle.
    #[must_use]
    pub fn minimum_per_second(self, repeats: u32) -> Self {
        Self::of(Settings {
            minimum_per_second: repeats,
            ..self.0.settings
        })
    }

    /// Sets how many repeats the budget saves up at most. A short hiccup may use all of them, and they bound
    /// the extra load on the backend at the start of an outage.
    ///
    /// Range: from 1 to 1,000,000. Default: 100, the reserve that Finagle holds by default (ten seconds of
    /// ten repeats each).
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

    /// Checks that the settings are in range. A layer with a budget calls this when it is registered.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that is out of range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        self.0.settings.check()
    }

    /// Pays in for the first attempt of a message.
    #[inline(always)]
    pub fn deposit(&self) {
        self.0.savings.deposit();
    }

    /// Withdraws one repeat from the savings, or else from the minimum of this second. Returns `false` if
    /// there is none, which counts as [`exhausted`](Self::exhausted).
    ///
    /// `now` is the time since an origin that never changes, as for a [`RateLimitPolicy`]. In a bus, pass the
    /// clock's [`since_origin`](crate::Clock::since_origin).
    pub fn try_take(&self, now: Duration) -> bool {
        self.withdraw(now).map(Withdrawal::used).is_some()
    }

    /// Withdraws one repeat like [`try_take`](Self::try_take), and returns a guard that gives the repeat back
    /// unless used.
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

    /// Returns the number of repeats that are saved up, without the minimum of the second.
    #[must_use]
    pub fn available(&self) -> f64 {
        self.0.savings.available()
    }

    /// Returns how often a repeat was refused.
    #[must_use]
    pub fn exhausted(&self) -> u64 {
        self.0.exhausted.load(Ordering::Relaxed)
    }

    /// Returns an id that is unique among budgets as long as this one lives.
    pub(crate) fn id(&self) -> usize {
        PlainArc::as_ptr(&self.0).addr()
    }

    /// Ties the facts of a layer to this budget, because the minimum per second belongs to one clock.
    pub(crate) fn tie(&self, facts: Facts) -> Facts {
        match self.0.minimum {
            Some(_) => facts.tied(&self.0.tie),
            None => facts,
        }
    }

    /// Describes the settings for people, as in `"budget of 0.2 a message, 10 a second"`.
    pub(crate) fn note(&self) -> String {
        let settings = self.0.settings;
        let (ratio, minimum) = (settings.ratio, settings.minimum_per_second);
        format!("budget of {ratio} a message, {minimum} a second")
    }
}

/// Creates a budget of a repeat for each five messages and 10 more per second, like Finagle's `RetryBudget`.
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
