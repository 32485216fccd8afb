//! [`Quota`]: how many messages in how much time.

use std::time::Duration;

use crate::setting::InvalidSetting;

/// How many messages may pass in how much time, and how many at once.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::rate_limit::Quota;
///
/// let often = Quota::per_second(1_000).burst(50);
/// let rarely = Quota::new(3, Duration::from_secs(24 * 60 * 60));
/// assert_eq!(rarely.interval(), Duration::from_secs(8 * 60 * 60));
/// # let _ = often;
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Quota {
    messages: u32,
    period: Duration,
    burst: Option<u32>,
}

/// So that a burst's intervals and the time that is left of the clock's line fit beside each other.
const LONGEST: Duration = Duration::from_secs(400 * 24 * 60 * 60);

impl Quota {
    /// `messages` in each `period`, evenly spread: one in each `period / messages`, which is rounded up
    /// to whole nanoseconds. So a rate of a million a second is kept to a part in a thousand, and
    /// never exceeded. `messages` from 1 up; an interval from 1 ns to 400 days.
    #[must_use]
    pub const fn new(messages: u32, period: Duration) -> Self {
        Self {
            messages,
            period,
            burst: None,
        }
    }

    /// `messages` in each second.
    #[must_use]
    pub const fn per_second(messages: u32) -> Self {
        Self::new(messages, Duration::from_secs(1))
    }

    /// `messages` in each minute.
    #[must_use]
    pub const fn per_minute(messages: u32) -> Self {
        Self::new(messages, Duration::from_secs(60))
    }

    /// One in each `interval`.
    #[must_use]
    pub const fn every(interval: Duration) -> Self {
        Self::new(1, interval)
    }

    /// How many may pass at once after a pause. From 1 up; all of them together take at most 400
    /// days. Default: as many as pass in one period, so that "100 a second" lets 100 pass at once
    /// after a second without any.
    #[must_use]
    pub const fn burst(mut self, burst: u32) -> Self {
        self.burst = Some(burst);
        self
    }

    /// The time between two messages at the rate.
    #[must_use]
    pub fn interval(&self) -> Duration {
        let nanos = self
            .period
            .as_nanos()
            .div_ceil(u128::from(self.messages.max(1)));
        Duration::from_nanos(u64::try_from(nanos).unwrap_or(u64::MAX))
    }

    /// How many may pass at once.
    #[must_use]
    pub fn burst_size(&self) -> u32 {
        self.burst.unwrap_or(self.messages)
    }

    /// Nanoseconds between two messages, and how many may pass at once.
    pub(super) fn checked(self) -> Result<(u64, u32), InvalidSetting> {
        let interval = self.interval();
        let burst = self.burst_size();
        InvalidSetting::unless(self.messages > 0, "RateLimit.messages", "at least 1")?;
        InvalidSetting::unless(
            !interval.is_zero() && interval <= LONGEST,
            "RateLimit.period",
            "more than zero, and at most 400 days a message",
        )?;
        InvalidSetting::unless(burst > 0, "RateLimit.burst", "at least 1")?;
        InvalidSetting::unless(
            interval.saturating_mul(burst) <= LONGEST,
            "RateLimit.burst",
            "no more than the rate lets through in 400 days",
        )?;
        Ok((interval.as_nanos() as u64, burst))
    }
}
