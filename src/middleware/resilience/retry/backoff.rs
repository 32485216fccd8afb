//! [`Backoff`]: how long to wait before another attempt.

use std::fmt;
use std::time::Duration;

use super::Jitter;
use crate::clock::nanos;
use crate::setting::InvalidSetting;

const DAY: Duration = Duration::from_secs(24 * 60 * 60);
const MAX_DELAY: Duration = Duration::from_secs(30);

/// How long to wait after an attempt has failed: a pure function of its number, a random number and the
/// delay before. A [`Retry`](super::Retry) has one; it can be used alone.
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
    /// Of an exponential one; given for another it is an error.
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
    /// Always `delay`, from zero up; without jitter, unless it is given one.
    #[must_use]
    pub fn fixed(delay: Duration) -> Self {
        Self::new(Shape::Fixed, delay, Jitter::None)
    }

    /// `step`, then twice that, three times that; `step` is above zero. Without jitter, unless it is given
    /// one.
    #[must_use]
    pub fn linear(step: Duration) -> Self {
        Self::new(Shape::Linear, step, Jitter::None)
    }

    /// `base`, then each time [`factor`](Self::factor) times the one before; `base` is above zero. With
    /// [full jitter](Jitter::Full), unless it is given another.
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

    /// By how much an exponential delay grows each time, from 1 to 100. Default: 2.
    #[must_use]
    pub fn factor(mut self, factor: f64) -> Self {
        self.factor = Some(factor);
        self
    }

    /// The longest delay, from a nanosecond to a day, and no shorter than the first one. Default: 30 s,
    /// for few callers wait longer for a reply; one with a deadline is not held past it in any case.
    #[must_use]
    pub fn max_delay(mut self, delay: Duration) -> Self {
        self.max_delay = delay;
        self
    }

    /// How the delays are spread. Default: `Full` for an exponential one, none for the others.
    #[must_use]
    pub fn jitter(mut self, jitter: Jitter) -> Self {
        self.jitter = jitter;
        self
    }

    /// The longest delay there is: what [`max_delay`](Self::max_delay) was set to.
    #[must_use]
    pub fn longest_delay(&self) -> Duration {
        self.max_delay
    }

    /// Whether its settings are in range.
    ///
    /// # Errors
    ///
    /// The first setting that is not.
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

    /// How long to wait after the attempt number `failed`, from 1 up. `unit` is a random number from 0 to
    /// 1, and `previous` the delay before, zero if there was none; each is used where the jitter asks for
    /// it.
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

    /// The delay after the attempt `failed` before it is spread.
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

    /// The longest that [`delay`](Self::delay) can be after the attempt `failed`.
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

/// `unit` of the way from `least` to `most`.
fn between(least: Duration, most: Duration, unit: f64) -> Duration {
    least.saturating_add(times(most.saturating_sub(least), unit.clamp(0.0, 1.0)))
}

/// Saturates after 584 years. Exact up to a day, for factors that are.
fn times(duration: Duration, factor: f64) -> Duration {
    Duration::from_nanos((nanos(duration) as f64 * factor) as u64)
}

/// For people: `50ms times 2, full jitter`.
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
