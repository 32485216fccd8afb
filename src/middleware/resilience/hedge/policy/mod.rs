//! [`HedgePolicy`]: when a hedge is begun, and what it has come to.

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

/// The state of one route's [`Hedge`]: its delay, which can be changed while it works, its budget and its
/// counts. Made alone by [`Hedge::policy`].
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
    /// In nanoseconds: after what time what a caller ended is known to be slow.
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

    /// After what time of waiting a hedge is begun. `None` where it is measured and there are too few
    /// samples yet: then none is begun.
    #[must_use]
    pub fn delay(&self) -> Option<Duration> {
        self.delay_nanos().map(Duration::from_nanos)
    }

    #[inline]
    pub(super) fn delay_nanos(&self) -> Option<u64> {
        self.delay.nanos()
    }

    /// Changes the delay, for the attempts that begin to wait from now on: no longer what is measured,
    /// until a [range](Self::set_delay_range) is set again.
    ///
    /// # Errors
    ///
    /// If it is out of range; then nothing changes.
    pub fn set_delay(&self, delay: Duration) -> Result<(), InvalidSetting> {
        Hedge::check_delay(delay)?;
        self.delay.set_range(nanos(delay), nanos(delay));
        Ok(())
    }

    /// Holds the delay that is measured, or was set up, between `min` and `max`. See
    /// [`Hedge::min_delay`].
    ///
    /// # Errors
    ///
    /// If one is out of range; then nothing changes.
    pub fn set_delay_range(&self, min: Duration, max: Duration) -> Result<(), InvalidSetting> {
        Hedge::check_range(min, max)?;
        self.delay.set_range(nanos(min), nanos(max));
        Ok(())
    }

    /// How many hedges there may be for one message.
    #[must_use]
    pub fn max_hedges(&self) -> u32 {
        self.max_hedges
    }

    /// A first attempt that had to wait has ended, and not by its caller: it pays into the budget.
    pub fn waited(&self) {
        self.budget.deposit();
    }

    /// Whether a hedge may be begun; counts it. `now` is the time since an origin that never changes, as
    /// for [`Budget::try_take`].
    pub fn try_hedge(&self, now: Duration) -> bool {
        let granted = self.budget.try_take(now);
        self.counts.count(granted);
        granted
    }

    /// The outcome is a hedge's.
    pub fn won(&self) {
        self.counts.won();
    }

    /// Whether latencies are measured.
    #[must_use]
    pub fn is_measured(&self) -> bool {
        self.delay.measured().is_some()
    }

    /// A first attempt has been answered, so long after it began to wait.
    pub fn answered(&self, latency: Duration) {
        if let Some(quantile) = self.delay.measured() {
            quantile.add(nanos(latency));
        }
    }

    /// A first attempt ended otherwise, so long after it began to wait: it lost to a hedge, or it failed. Counts once
    /// it is past the delay, for then it says that the answer is at least so slow.
    pub fn cut_short(&self, latency: Duration) {
        if self.delay().is_some_and(|delay| latency >= delay) {
            self.answered(latency);
        }
    }

    /// Its caller ended a first attempt, so long after it began to wait. Counts for nothing, unless that is
    /// [`slow_after`](Hedge::slow_after) or later: then as one that was [cut short](Self::cut_short).
    pub fn abandoned(&self, latency: Duration) {
        if Verdict::of_abandoned(nanos(latency) >= self.slow_after) == Verdict::Failure {
            self.cut_short(latency);
        }
    }

    /// Of how many latencies the delay is the quantile: none before the first window is complete, then
    /// those of the last two.
    #[must_use]
    pub fn samples(&self) -> u64 {
        self.delay.measured().map_or(0, Quantile::samples)
    }

    /// What came of it so far.
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
