//! [`AdaptiveLimitPolicy`]: permits, samples, and the limit that follows from them.

mod algorithm;
mod counts;
mod estimates;
mod in_flight;
mod window;

pub(super) use algorithm::Algorithm;
pub use counts::AdaptiveUsage;
pub use in_flight::InFlight;

use std::fmt;
use std::time::Duration;

use super::Priority;
use crate::clock::{limit, nanos};
use crate::setting::InvalidSetting;
use algorithm::{Measured, Rules};
use counts::Counts;
use estimates::Estimates;
use window::{Closed, Window};

/// The settings of the layer, after they were checked.
#[derive(Clone, Copy, Debug)]
pub(super) struct Settings {
    pub(super) algorithm: Algorithm,
    pub(super) initial: usize,
    pub(super) min: usize,
    pub(super) max: usize,
    pub(super) window: usize,
    pub(super) backoff: f64,
    pub(super) slow_after: Option<Duration>,
}

impl Settings {
    pub(super) fn check(&self) -> Result<(), InvalidSetting> {
        Counts::check_range(self.min, self.max)?;
        InvalidSetting::unless(
            (self.min..=self.max).contains(&self.initial),
            "AdaptiveLimit.initial",
            "from min to max",
        )?;
        InvalidSetting::unless(
            (1..=window::LARGEST as usize).contains(&self.window),
            "AdaptiveLimit.window",
            "from 1 to 4096",
        )?;
        InvalidSetting::unless(
            (0.5..1.0).contains(&self.backoff),
            "AdaptiveLimit.backoff",
            "at least 0.5 and below 1",
        )?;
        let in_range = |time: Duration| !time.is_zero() && time <= DAY;
        InvalidSetting::unless(
            self.slow_after.is_none_or(in_range),
            "AdaptiveLimit.slow_after",
            "1 ns to a day",
        )?;
        let slow = match self.algorithm {
            Algorithm::Aimd { slow } => slow,
            Algorithm::Vegas => 1,
        };
        InvalidSetting::unless(
            (1..=window::LONGEST).contains(&slow),
            "AdaptiveLimit.slow",
            "longer than zero and at most 30 seconds",
        )
    }
}

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A limit that follows its measurements. Made by [`AdaptiveLimit`](super::AdaptiveLimit) for a route,
/// or [alone](super::AdaptiveLimit::policy).
///
/// ```
/// use arcbus::middleware::{AdaptiveLimit, Priority};
/// use std::time::Duration;
///
/// let slow = Duration::from_millis(100);
/// let policy = AdaptiveLimit::aimd(slow).initial(1).window(1).policy()?;
/// let at = Duration::from_millis;
/// let running = policy.try_acquire(Priority::Critical, at(0)).expect("room for one");
/// assert!(policy.try_acquire(Priority::Critical, at(1)).is_none());
/// running.answered(at(20));
/// assert_eq!(policy.usage().limit, 2);
/// # Ok::<_, arcbus::InvalidSetting>(())
/// ```
pub struct AdaptiveLimitPolicy {
    counts: Counts,
    window: Window,
    estimates: Estimates,
    rules: Rules,
    /// Time in nanoseconds after which a dispatch that its caller ended counts as an overload.
    slow_after: u64,
}

impl AdaptiveLimitPolicy {
    pub(super) fn new(settings: Settings) -> Result<Self, InvalidSetting> {
        settings.check()?;
        let [initial, min, max] = [settings.initial, settings.min, settings.max];
        Ok(Self {
            counts: Counts::new(initial as u64, min as u64, max as u64),
            window: Window::new(settings.window as u64),
            estimates: Estimates::new(),
            rules: Rules {
                algorithm: settings.algorithm,
                backoff: settings.backoff,
            },
            slow_after: settings.slow_after.map_or(u64::MAX, nanos),
        })
    }

    /// Takes a permit, unless the part of the limit that `priority` may use is full. `now` is the time
    /// since an origin of the caller's choice that never changes.
    #[inline]
    pub fn try_acquire(&self, priority: Priority, now: Duration) -> Option<InFlight<'_>> {
        self.try_acquire_at(priority, nanos(now)).ok()
    }

    /// Takes a permit, or returns as an error how many dispatches may be in flight.
    #[inline]
    pub(super) fn try_acquire_at(
        &self,
        priority: Priority,
        tick: u64,
    ) -> Result<InFlight<'_>, u64> {
        match self.counts.try_enter(priority.sixteenths()) {
            Ok(in_flight) => {
                self.window.note_in_flight(in_flight);
                Ok(InFlight {
                    policy: self,
                    entered: tick,
                })
            }
            Err(share) => {
                self.window.note_refused();
                Err(share)
            }
        }
    }

    /// Returns the limit, its range and the number in flight, all read at one moment.
    #[must_use]
    pub fn usage(&self) -> AdaptiveUsage {
        self.counts.read()
    }

    /// Returns the latency without load as Vegas estimates it, once known.
    #[must_use]
    pub fn baseline(&self) -> Option<Duration> {
        self.estimates.baseline()
    }

    /// Returns the mean latency of the last complete window.
    #[must_use]
    pub fn latency(&self) -> Option<Duration> {
        self.estimates.latency()
    }

    /// Changes the range, and moves a limit outside the range to the nearest end. Dispatches in flight
    /// finish.
    ///
    /// # Errors
    ///
    /// Returns an error unless `min` is at least 1, and `max` from `min` to 65,535.
    pub fn set_range(&self, min: usize, max: usize) -> Result<(), InvalidSetting> {
        self.counts.set_range(min, max)
    }

    /// Computes the next limit and opens the next window. Only the thread that closed the last window
    /// may call this.
    #[cold]
    #[inline(never)]
    fn adapt(&self, closed: Closed, tick: u64) {
        let limit = self.counts.limit();
        let mut memory = self.estimates.recall();
        let next = match closed {
            Closed::Overload => {
                self.window.note_lowered(tick);
                self.rules.lowered(limit, &mut memory)
            }
            Closed::Complete { mean } => {
                self.estimates.note_latency(mean);
                let load = self.window.load(limit);
                self.rules.next(limit, Measured { mean, load }, &mut memory)
            }
        };
        self.estimates.remember(memory);
        self.counts.set_limit(next);
        self.window.open(tick, self.counts.in_flight());
    }
}

impl fmt::Debug for AdaptiveLimitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let usage = self.usage();
        f.debug_struct("AdaptiveLimitPolicy")
            .field("algorithm", &self.rules.algorithm)
            .field("backoff", &self.rules.backoff)
            .field("limit", &usage.limit)
            .field("in_flight", &usage.in_flight)
            .field("min", &usage.min)
            .field("max", &usage.max)
            .field("slow_after", &limit(self.slow_after))
            .field("latency", &self.latency())
            .field("baseline", &self.baseline())
            .finish()
    }
}
