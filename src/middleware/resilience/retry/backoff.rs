//! [`Backoff`]: computes the pause before another attempt.

use std::fmt;
use std::time::Duration;

use super::Jitter;
use crate::clock::nanos;
use crate::setting::InvalidSetting;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// Computes the pause after a failed attempt, as a pure function of the number of the attempt, a random
/// number and the previous pause. A [`Retry`](super::Retry) has a backoff, which can also be used alone.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::retry::{Backoff, Jitter};
///
/// let ms = Duration::from_millis;
/// let backoff = Backoff::exponential(ms(50)).max_delay(ms(150)).jitter(Jitter::None);
/// let delays = [1, 2, 3].map(|failed| backoff.delay(failed, 0.5, Duration::ZERO));
/// assert_eq!(delays, [ms(50), ms(100), ms(150)]);
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Backoff {
    shape: Shape,
    base: Duration,
    /// The growth of an exponential backoff. Setting the factor of another shape is an error.
    factor: Option<f64>,
    max_delay: Duration,
    jitter: Jitter,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    Fixed,
    Linear,
    Exponential,
}

impl Backoff {
    /// Creates a backoff that always waits `delay`, which may be zero, without jitter unless one is set.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self::new(Shape::Fixed, delay, Jitter::None)
    }

    /// Creates a backoff that waits `step`, then twice `step`, then three times `step`. `step` is above zero,
    /// and there is no jitter unless one is set.
    #[must_use]
    pub fn linear(step: Duration) -> Self {
        Self::new(Shape::Linear, step, Jitter::None)
    }

    /// Creates a backoff that waits `base`, then each time [`factor`](Self::factor) times the previous delay.
    /// `base` is above zero. The jitter is [full](Jitter::Full) unless another is set.
    #[must_use]
    pub fn exponential(base: Duration) -> Self {
        Self::new(Shape::Exponential, base, Jitter::Full)
    }

    fn new(shape: Shape, base: Duration, jitter: Jitter) -> Self {
        Self {
            shape,
            base,
            factor: None,
            max_delay: MAX_DELAY,
            jitter,
        }
    }

    /// Sets the factor by which an exponential delay grows each time, from 1 to 100. Default: 2.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = Some(factor);
        self
    }

    /// Sets the longest delay, from a nanosecond to a day, and no shorter than the first delay. Default:
    /// 30 s, because few callers wait longer for a reply. A caller with a deadline is never held past the
    /// deadline in any case.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// Sets how the delays are spread. Default: `Full` for an exponential backoff, none for the other shapes.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// Returns the longest possible delay, which [`max_delay`](Self::max_delay) sets.
    #[must_use]
    pub fn longest_delay(&self) -> Duration {
        self.max_delay
    }

    /// Checks that the settings are in range.
    ///
    /// # Errors
    ///
    /// Returns an error that names the first setting that is out of range.
    pub fn check(&self) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            !self.max_delay.is_zero() && self.max_delay <= DAY,
            "Retry.max_delay",
            "from a nanosecond to a day",
        )?;
        let least = Duration::from_nanos(u64::from(self.shape != Shape::Fixed));
        InvalidSetting::unless(
            (least..=self.max_delay).contains(&self.base),
            "Retry.delay",
            "no longer than `max_delay` (30 s, unless set), and above zero unless it is fixed",
        )?;
        InvalidSetting::unless(
            self.has_valid_factor(),
            "Retry.factor",
            "from 1 to 100, and given for an exponential backoff only",
        )
    }

    fn has_valid_factor(&self) -> bool {
        let is_valid = |factor| self.shape == Shape::Exponential && (1.0..=100.0).contains(&factor);
        self.factor.is_none_or(is_valid)
    }

    /// Returns the delay after attempt number `failed`, which counts from 1. `unit` is a random number from 0
    /// to 1, and `previous` is the previous delay, or zero for the first. Each is used only by the jitters
    /// that need one.
    #[must_use]
    pub fn delay(&self, failed: u32, unit: f64, previous: Duration) -> Duration {
        let longest = self.unspread(failed);
        let least = match self.jitter {
            Jitter::None => longest,
            Jitter::Full => Duration::ZERO,
            Jitter::Equal => longest / 2,
            Jitter::Decorrelated => return self.decorrelated(unit, previous),
        };
        between(least, longest, unit)
    }

    fn decorrelated(&self, unit: f64, previous: Duration) -> Duration {
        let most = previous.max(self.base).saturating_mul(3);
        between(self.base, most, unit).min(self.max_delay)
    }

    /// Returns the delay after attempt number `failed`, before the jitter spreads it.
    fn unspread(&self, failed: u32) -> Duration {
        let before = failed.saturating_sub(1);
        let delay = match self.shape {
            Shape::Fixed => self.base,
            Shape::Linear => self.base.saturating_mul(failed.max(1)),
            Shape::Exponential => times(self.base, self.growth().powf(before.into())),
        };
        delay.min(self.max_delay)
    }

    fn growth(&self) -> f64 {
        self.factor.unwrap_or(2.0)
    }

    /// Returns the upper bound of [`delay`](Self::delay) after attempt number `failed`.
    #[must_use]
    pub fn longest(&self, failed: u32) -> Duration {
        match self.jitter {
            Jitter::None | Jitter::Full | Jitter::Equal => self.unspread(failed),
            Jitter::Decorrelated => {
                times(self.base, 3_f64.powf(failed.max(1).into())).min(self.max_delay)
            }
        }
    }
}

/// Returns the duration at the fraction `unit` of the way from `least` to `most`.
fn between(least: Duration, most: Duration, unit: f64) -> Duration {
    least.saturating_add(times(most.saturating_sub(least), unit.clamp(0.0, 1.0)))
}

/// Multiplies, and saturates after 584 years. Exact up to a day, for factors that are exact themselves.
fn times(duration: Duration, factor: f64) -> Duration {
    Duration::from_nanos((nanos(duration) as f64 * factor) as u64)
}

/// Writes the backoff for people, as in `50ms times 2, full jitter`.
impl fmt::Display for Backoff {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let base = self.base;
        match self.shape {
            Shape::Fixed => write!(f, "{base:?} each")?,
            Shape::Linear => write!(f, "{base:?} more each")?,
            Shape::Exponential => write!(f, "{base:?} times {}", self.growth())?,
        }
        write!(f, ", {} jitter", self.jitter.name())
    }
}
