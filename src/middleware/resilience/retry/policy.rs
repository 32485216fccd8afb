//! [`RetryPolicy`]: the attempts of one route.

use std::fmt;

use super::{Backoff, Course};
use crate::random::Random;
use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering};

/// The number of attempts for the messages of a route, the pauses in between, and the counters of the
/// outcomes. Usable without a bus: see [`Course`].
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::Retry;
///
/// let retry = Retry::fixed(3, Duration::from_millis(10));
/// let handles = retry.handles(); // before the layer goes to a bus
/// # let _ = retry;
/// if let Some(policy) = handles.get("user.get") {
///     println!("{} repeats, {} gave up", policy.repeats(), policy.gave_up());
///     policy.set_attempts(1).expect("in range"); // no more repeats
/// }
/// ```
pub struct RetryPolicy {
    /// Relaxed, like the tallies: each word stands alone. No partner. Model: `retry`.
    attempts: AtomicU64,
    backoff: Backoff,
    random: Random,
    tallies: Tallies,
}

#[derive(Default)]
struct Tallies {
    repeats: AtomicU64,
    gave_up: AtomicU64,
    exhausted: AtomicU64,
}

impl RetryPolicy {
    /// Creates a policy. `attempts` is the maximum number of attempts, the first included, from 1 to 100.
    ///
    /// # Errors
    ///
    /// Returns an error that names the setting that is out of range.
    pub fn new(attempts: u32, backoff: Backoff) -> Result<Self, InvalidSetting> {
        backoff.check()?;
        Ok(Self {
            attempts: AtomicU64::new(checked(attempts)?),
            backoff,
            random: Random::seeded_by_process(),
            tallies: Tallies::default(),
        })
    }

    /// Draws the jitter from this seed, so that every run has identical delays. Default: a seed that differs
    /// from process to process.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.random = Random::new(seed);
        self
    }

    /// Returns the maximum number of attempts, the first included.
    #[must_use]
    pub fn attempts(&self) -> u32 {
        self.attempts.load(Ordering::Relaxed) as u32
    }

    /// Changes the maximum number of attempts for all messages whose first attempt fails later. With 1,
    /// nothing is repeated.
    ///
    /// # Errors
    ///
    /// Returns an error if `attempts` is not from 1 to 100, and then nothing changes.
    pub fn set_attempts(&self, attempts: u32) -> Result<(), InvalidSetting> {
        self.attempts.store(checked(attempts)?, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the backoff that computes the pauses between attempts.
    #[must_use]
    pub fn backoff(&self) -> Backoff {
        self.backoff
    }

    /// Returns the number of repeats that were started.
    #[must_use]
    pub fn repeats(&self) -> u64 {
        self.tallies.repeats.load(Ordering::Relaxed)
    }

    /// Returns the number of messages that failed although all their attempts were used.
    #[must_use]
    pub fn gave_up(&self) -> u64 {
        self.tallies.gave_up.load(Ordering::Relaxed)
    }

    /// Returns the number of messages that were not repeated because the budget was exhausted.
    #[must_use]
    pub fn exhausted(&self) -> u64 {
        self.tallies.exhausted.load(Ordering::Relaxed)
    }

    /// Returns the course of a message whose first attempt has failed.
    #[must_use]
    pub fn first_failed(&self) -> Course<'_> {
        Course::new(self)
    }

    pub(super) fn unit(&self) -> f64 {
        self.random.unit()
    }

    pub(super) fn count_repeat(&self) {
        self.tallies.repeats.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_given_up(&self) {
        self.tallies.gave_up.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn count_exhausted(&self) {
        self.tallies.exhausted.fetch_add(1, Ordering::Relaxed);
    }
}

/// The upper bound of the number of attempts, the first included.
pub(super) const MOST_ATTEMPTS: u32 = 100;

fn checked(attempts: u32) -> Result<u64, InvalidSetting> {
    let expected = "from 1 to 100, the first included";
    let in_range = (1..=MOST_ATTEMPTS).contains(&attempts);
    InvalidSetting::unless(in_range, "Retry.attempts", expected)?;
    Ok(attempts.into())
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryPolicy")
            .field("attempts", &self.attempts())
            .field("backoff", &self.backoff)
            .field("repeats", &self.repeats())
            .field("gave_up", &self.gave_up())
            .field("exhausted", &self.exhausted())
            .finish()
    }
}
