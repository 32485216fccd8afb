//! [`Course`]: one message's way through its attempts.

use std::time::Duration;

use super::RetryPolicy;

/// The attempts of one message, from the first that failed. How many there are is settled when it is
/// made.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::retry::{Backoff, RetryPolicy};
///
/// let policy = RetryPolicy::new(2, Backoff::fixed(Duration::from_millis(10)))?;
/// let mut course = policy.first_failed();
/// let now = Duration::from_secs(60);
/// assert_eq!(course.next_at(now, None, None), Some(now + Duration::from_millis(10)));
/// assert_eq!(course.begin(), 2);
/// assert_eq!(course.next_at(now, None, None), None); // that was the last
/// assert_eq!((policy.repeats(), policy.gave_up()), (1, 1));
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
#[derive(Debug)]
pub struct Course<'p> {
    policy: &'p RetryPolicy,
    attempts: u32,
    /// That failed last.
    attempt: u32,
    previous: Duration,
}

impl<'p> Course<'p> {
    pub(super) fn new(policy: &'p RetryPolicy) -> Self {
        Self {
            policy,
            attempts: policy.attempts(),
            attempt: 1,
            previous: Duration::ZERO,
        }
    }

    /// When to begin the next attempt after one that failed at `now`, if there is to be one. Where the error
    /// says to `retry_after` some time, the delay comes on top of that: all who were told the same moment
    /// would come back together. No longer than the [longest delay](super::Backoff::longest_delay) is waited
    /// in all, and not for what comes at `expiry` or later. `now` and `expiry` are times since one origin.
    pub fn next_at(
        &mut self,
        now: Duration,
        retry_after: Option<Duration>,
        expiry: Option<Duration>,
    ) -> Option<Duration> {
        if self.is_last() {
            self.policy.count_given_up();
            return None;
        }
        let backoff = self.policy.backoff();
        self.previous = backoff.delay(self.attempt, self.policy.unit(), self.previous);
        let delay = retry_after
            .unwrap_or_default()
            .saturating_add(self.previous);
        let at = now.saturating_add(delay);
        let in_time = delay <= backoff.longest_delay() && expiry.is_none_or(|expiry| at < expiry);
        in_time.then_some(at)
    }

    /// Begins the next attempt; its number.
    pub fn begin(&mut self) -> u32 {
        self.policy.count_repeat();
        self.attempt += 1;
        self.attempt
    }

    /// The number of the attempt that was begun last, from 1 up.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Whether there is none after that.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.attempt >= self.attempts
    }
}
