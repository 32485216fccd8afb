//! [`Window`] and [`Limits`]: the calls by which a breaker judges, and its thresholds and times.

use std::time::Duration;

use super::count_window::LONGEST as LONGEST_COUNT;
use super::time_window::{LONGEST as LONGEST_TIME, SHORTEST as SHORTEST_TIME};
use super::word::{MOST_FAILURES, MOST_PROBES};
use crate::setting::InvalidSetting;

/// The calls by which a closed breaker judges. Fixed when the breaker is created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Window {
    /// The failures since the last success. Reads no clock, and a success writes nothing if there are no
    /// failures.
    Consecutive,
    /// The last `n` calls, 1 to 10,000, exact to the call.
    Calls(u32),
    /// The calls of a period, 10 ms to 10 min. The window slides by a sixteenth: a call counts for at least
    /// 15/16 of the period and at most for all of it.
    Time(Duration),
}

/// The limits at which a breaker opens, how long it stays open, and the conditions to close again.
/// [`CircuitBreakerPolicy::set_limits`](super::CircuitBreakerPolicy::set_limits) changes them while the
/// breaker is in use.
///
/// The fields match the methods of [`CircuitBreaker`](super::super::CircuitBreaker), which give the reasons
/// for the defaults.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Limits {
    /// The number of failures in a row that opens the breaker, 1 or more. Default 5. Only with
    /// [`Window::Consecutive`].
    pub failures: u32,
    /// The share of failed calls at which the breaker opens: a millionth to 1, rounded to millionths. Default
    /// 0.5. Not with [`Window::Consecutive`].
    pub failure_rate: f64,
    /// The duration from which on a call is slow (1 ns to a day), and the share of slow calls at which the
    /// breaker opens (a millionth to 1, rounded to millionths). Default none. Not with
    /// [`Window::Consecutive`].
    pub slow_calls: Option<(Duration, f64)>,
    /// The duration from which on a call that its caller ended is a failure, 1 ns to a day. Default: the time
    /// of [`slow_calls`](Self::slow_calls), or none without slow calls.
    pub slow_after: Option<Duration>,
    /// The number of calls in the window below which the breaker never opens: 1 or more. Default 20, or the
    /// length of a shorter window. Not with [`Window::Consecutive`].
    pub minimum_calls: u32,
    /// The time for which the breaker stays open, 1 ns to a day. Default 5 s.
    pub open_for: Duration,
    /// The factor (1 to 100) by which the open time grows each time that the probes fail, and its maximum
    /// ([`open_for`](Self::open_for) to a day). Default none: the open time never grows.
    pub open_growth: Option<(f64, Duration)>,
    /// The number of probes that decide whether the breaker closes, 1 to 63. Default 3.
    pub half_open_probes: u32,
    /// The time for which the breaker waits for its probes to end, 1 ns to a day. Default 30 s.
    pub half_open_for: Duration,
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

impl Limits {
    /// Returns the defaults for a window.
    #[must_use]
    pub fn of(window: Window) -> Self {
        Self {
            failures: 5,
            failure_rate: 0.5,
            slow_calls: None,
            slow_after: None,
            minimum_calls: match window {
                Window::Calls(length) => length.min(20),
                _ => 20,
            },
            open_for: Duration::from_secs(5),
            open_growth: None,
            half_open_probes: 3,
            half_open_for: Duration::from_secs(30),
        }
    }

    pub(in super::super) fn check(&self, window: Window) -> Result<(), InvalidSetting> {
        check_window(window)?;
        match window {
            Window::Consecutive => self.check_consecutive()?,
            Window::Calls(length) => self.check_rates(length)?,
            Window::Time(_) => self.check_rates(u32::MAX)?,
        }
        self.check_times()?;
        InvalidSetting::unless(
            (1..=MOST_PROBES).contains(&self.half_open_probes),
            "CircuitBreaker.half_open_probes",
            "1 to 63",
        )
    }

    fn check_consecutive(&self) -> Result<(), InvalidSetting> {
        let unset = Self::of(Window::Consecutive);
        let expected = "left alone where failures in a row are counted";
        InvalidSetting::unless(
            (1..=MOST_FAILURES).contains(&self.failures),
            "CircuitBreaker.failures",
            "1 to 2^30 - 1",
        )?;
        InvalidSetting::unless(
            self.failure_rate == unset.failure_rate,
            "CircuitBreaker.failure_rate",
            expected,
        )?;
        InvalidSetting::unless(
            self.minimum_calls == unset.minimum_calls,
            "CircuitBreaker.minimum_calls",
            expected,
        )?;
        InvalidSetting::unless(
            self.slow_calls.is_none(),
            "CircuitBreaker.slow_calls",
            expected,
        )
    }

    fn check_rates(&self, longest: u32) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            (1..=longest).contains(&self.minimum_calls),
            "CircuitBreaker.minimum_calls",
            "at least 1, and no more than the window holds",
        )?;
        check_rate(self.failure_rate, "CircuitBreaker.failure_rate")?;
        let Some((slow_after, slow_rate)) = self.slow_calls else {
            return Ok(());
        };
        check_time(slow_after, "CircuitBreaker.slow_calls")?;
        check_rate(slow_rate, "CircuitBreaker.slow_calls rate")
    }

    fn check_times(&self) -> Result<(), InvalidSetting> {
        check_time(self.open_for, "CircuitBreaker.open_for")?;
        check_time(self.half_open_for, "CircuitBreaker.half_open_for")?;
        if let Some(slow_after) = self.slow_after {
            check_time(slow_after, "CircuitBreaker.slow_after")?;
        }
        let Some((factor, longest)) = self.open_growth else {
            return Ok(());
        };
        InvalidSetting::unless(
            (1.0..=100.0).contains(&factor),
            "CircuitBreaker.open_growth",
            "a factor of 1 to 100",
        )?;
        InvalidSetting::unless(
            (self.open_for..=DAY).contains(&longest),
            "CircuitBreaker.open_growth longest",
            "`open_for` to a day",
        )
    }
}

fn check_window(window: Window) -> Result<(), InvalidSetting> {
    let (holds, expected) = match window {
        Window::Consecutive => return Ok(()),
        Window::Calls(length) => ((1..=LONGEST_COUNT).contains(&length), "1 to 10,000 calls"),
        Window::Time(length) => (
            (SHORTEST_TIME..=LONGEST_TIME).contains(&length),
            "10 ms to 10 min",
        ),
    };
    InvalidSetting::unless(holds, "CircuitBreaker.window", expected)
}

fn check_rate(rate: f64, field: &'static str) -> Result<(), InvalidSetting> {
    InvalidSetting::unless((1e-6..=1.0).contains(&rate), field, "a millionth to 1")
}

fn check_time(time: Duration, field: &'static str) -> Result<(), InvalidSetting> {
    InvalidSetting::unless(!time.is_zero() && time <= DAY, field, "1 ns to a day")
}
