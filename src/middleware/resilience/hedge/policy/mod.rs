//! [`HedgePolicy`]: decides when a hedge starts, and counts the results.

mod counts;
mod delay;
mod quantile;

pub use counts::HedgeCounts;
pub(super) use delay::Delay;
pub(super) use quantile::Quantile;

use std::fmt;
use std::time::Duration;

use super::Hedge;
use crate::clock::{limit, nanos};
use crate::middleware::Budget;
use crate::outcome::Verdict;
use crate::setting::InvalidSetting;
use counts::Counts;

/// The state of a [`Hedge`] on one route: its budget, its counters, and its delay, which can be changed while
/// the layer is in use. [`Hedge::policy`] creates a policy without a bus.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::Hedge;
///
/// let ms = Duration::from_millis;
/// let policy = Hedge::quantile(0.5).samples(3).policy()?;
/// assert_eq!(policy.delay(), None);
/// for latency in [ms(1), ms(20), ms(300)] {
///     policy.answered(latency);
/// }
/// let delay = policy.delay().expect("enough samples");
/// assert!(ms(20) <= delay && delay < ms(22));
///
/// policy.set_delay_range(ms(50), ms(100))?;
/// assert_eq!(policy.delay(), Some(ms(50)));
/// # Ok::<_, arcbus::InvalidSetting>(())
/// ```
pub struct HedgePolicy {
    delay: Delay,
    budget: Budget,
    max_hedges: u32,
    /// The time in nanoseconds after which an attempt that its caller ended counts as slow.
    slow_after: u64,
    counts: Counts,
}

impl HedgePolicy {
    pub(super) fn new(delay: Delay, budget: Budget, max_hedges: u32, slow_after: u64) -> Self {
        Self {
            delay,
            budget,
            max_hedges,
            slow_after,
            counts: Counts::new(),
        }
    }

    /// Returns the waiting time after which a hedge starts. Returns `None` if the delay is measured and there
    /// are too few samples yet, in which case no hedge starts.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay_nanos().map(Duration::from_nanos)
    }

    #[inline]
    pub(super) fn delay_nanos(&self) -> Option<u64> {
        self.delay.nanos()
    }

    /// Changes the delay for all attempts that begin to wait later. A measured delay is no longer used until
    /// a [range](Self::set_delay_range) is set again.
    ///
    /// # Errors
    ///
    /// Returns an error if `delay` is out of range, and then nothing changes.
    pub fn set_delay(&self, delay: Duration) -> Result<(), InvalidSetting> {
        Hedge::check_delay(delay)?;
        self.delay.set_range(nanos(delay), nanos(delay));
        Ok(())
    }

    /// Limits the fixed or measured delay of the settings to the range from `min` to `max`. See
    /// [`Hedge::min_delay`].
    ///
    /// # Errors
    ///
    /// Returns an error if `min` or `max` is out of range, and then nothing changes.
    pub fn set_delay_range(&self, min: Duration, max: Duration) -> Result<(), InvalidSetting> {
        Hedge::check_range(min, max)?;
        self.delay.set_range(nanos(min), nanos(max));
        Ok(())
    }

    /// Returns the maximum number of hedges for one message.
    #[must_use]
    pub fn max_hedges(&self) -> u32 {
        self.max_hedges
    }

    /// Pays into the budget for a first attempt that had to wait and has ended, unless its caller ended it.
    pub fn waited(&self) {
        self.budget.deposit();
    }

    /// Returns whether a hedge may start, and counts the result. `now` is the time since an origin that never
    /// changes, as for [`Budget::try_take`].
    pub fn try_hedge(&self, now: Duration) -> bool {
        let granted = self.budget.try_take(now);
        self.counts.count(granted);
        granted
    }

    /// Counts a hedge that gave the outcome.
    pub fn won(&self) {
        self.counts.won();
    }

    /// Returns whether the delay is measured.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.delay.measured().is_some()
    }

    /// Records the latency of a first attempt that was answered, counted from the moment when it began to
    /// wait.
    pub fn answered(&self, latency: Duration) {
        if let Some(quantile) = self.delay.measured() {
            quantile.add(nanos(latency));
        }
    }

    /// Records the latency of a first attempt that lost to a hedge or failed, counted from the moment when it
    /// began to wait. The sample counts only past the delay, where it shows that a reply takes at least that
    /// long.
    pub fn cut_short(&self, latency: Duration) {
        if self.delay().is_some_and(|delay| latency >= delay) {
            self.answered(latency);
        }
    }

    /// Records the latency of a first attempt that its caller ended, counted from the moment when it began to
    /// wait. The sample is ignored before [`slow_after`](Hedge::slow_after), and later counts like an attempt
    /// that was [cut short](Self::cut_short).
    pub fn abandoned(&self, latency: Duration) {
        if Verdict::of_abandoned(nanos(latency) >= self.slow_after) == Verdict::Failure {
            self.cut_short(latency);
        }
    }

    /// Returns the number of latencies behind the current quantile: zero before the first window is complete,
    /// then the number of samples in the last two windows.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.delay.measured().map_or(0, Quantile::samples)
    }

    /// Returns the counters so far.
    #[must_use]
    pub fn counts(&self) -> HedgeCounts {
        self.counts.read()
    }
}

impl fmt::Debug for HedgePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (min, max) = self.delay.range();
        f.debug_struct("HedgePolicy")
            .field("when", &self.delay.when())
            .field("delay", &self.delay())
            .field("min_delay", &min)
            .field("max_delay", &max)
            .field("max_hedges", &self.max_hedges)
            .field("slow_after", &limit(self.slow_after))
            .field("samples", &self.samples())
            .field("counts", &self.counts())
            .field("budget", &self.budget)
            .finish()
    }
}
