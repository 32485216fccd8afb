//! [`Course`]: the attempts of one message.

use std::time::Duration;

use super::RetryPolicy;

/// The attempts of one message, from the first failed attempt on. The maximum number of attempts is fixed
/// when the course is created.
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
    /// The number of the attempt that was started last.
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

    /// Returns the time of the next attempt after a failure at `now`, or `None` if there is to be no further
    /// attempt. `now` and `expiry` are times since one origin.
    ///
    /// If the error carries a `retry_after`, the delay of the backoff is added to that time. Without the
    /// delay, all callers that were told to wait for one moment would return together. There is no further
    /// attempt if the wait would exceed the [longest delay](super::Backoff::longest_delay) in total, or would
    /// end at `expiry` or later.
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

    /// Begins the next attempt, and returns the number of that attempt.
    pub fn begin(&mut self) -> u32 {
        self.policy.count_repeat();
        self.attempt += 1;
        self.attempt
    }

    /// Returns the number of the attempt that was started last, counting from 1.
    #[must_use]
    pub fn attempt(&self) -> u32 {
        self.attempt
    }

    /// Returns whether the attempt that was started last is the final one.
    #[must_use]
    pub fn is_last(&self) -> bool {
        self.attempt >= self.attempts
    }
}
