//! [`TimeoutPolicy`]: the limits of one route.

use std::fmt;
use std::time::Duration;

use crate::clock::nanos;
use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering};

/// The limits that a [`Timeout`](super::Timeout) has created for one route. The timeout can be changed while
/// the layer is in use, but the grace is fixed.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::Timeout;
///
/// let timeout = Timeout::new(Duration::from_secs(1));
/// let handles = timeout.handles(); // before the layer goes to a bus
/// # let _ = timeout;
/// if let Some(policy) = handles.get("user.get") {
///     policy.set_timeout(Duration::from_millis(250)).expect("not zero");
/// }
/// ```
pub struct TimeoutPolicy {
    /// The timeout in nanoseconds, which is never zero.
    ///
    /// Relaxed: the word is the only shared state of the policy, and a reader infers nothing else from it. No
    /// partner, no model.
    timeout: AtomicU64,
    /// The grace in nanoseconds.
    grace: u64,
}

impl TimeoutPolicy {
    /// Creates the limits, in the ranges given at [`Timeout`](super::Timeout).
    ///
    /// # Errors
    ///
    /// Returns an error that names the limit that is out of range.
    pub fn new(timeout: Duration, grace: Duration) -> Result<Self, InvalidSetting> {
        Ok(Self {
            grace: checked_grace(grace)?,
            timeout: AtomicU64::new(checked(timeout)?),
        })
    }

    /// Returns the time given to a message.
    #[must_use]
    pub fn timeout(&self) -> Duration {
        Duration::from_nanos(self.nanos())
    }

    /// Changes the time given to a message, for all messages that arrive later.
    ///
    /// # Errors
    ///
    /// Returns an error if `timeout` is out of range, and then nothing changes.
    pub fn set_timeout(&self, timeout: Duration) -> Result<(), InvalidSetting> {
        self.timeout.store(checked(timeout)?, Ordering::Relaxed);
        Ok(())
    }

    /// Returns the time after the timeout in which a waiting handler is told to end.
    #[must_use]
    pub fn grace(&self) -> Duration {
        Duration::from_nanos(self.grace)
    }

    #[inline]
    pub(super) fn grace_nanos(&self) -> u64 {
        self.grace
    }

    #[inline]
    pub(super) fn nanos(&self) -> u64 {
        self.timeout.load(Ordering::Relaxed)
    }
}

fn checked(timeout: Duration) -> Result<u64, InvalidSetting> {
    let nanos = nanos(timeout);
    InvalidSetting::unless(
        nanos != 0 && nanos != u64::MAX,
        "Timeout.timeout",
        "more than zero and less than 584 years",
    )?;
    Ok(nanos)
}

fn checked_grace(grace: Duration) -> Result<u64, InvalidSetting> {
    let nanos = nanos(grace);
    InvalidSetting::unless(nanos != u64::MAX, "Timeout.grace", "less than 584 years")?;
    Ok(nanos)
}

impl fmt::Debug for TimeoutPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TimeoutPolicy")
            .field("timeout", &self.timeout())
            .field("grace", &self.grace())
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn limits_out_of_range_are_refused() {
        let far = Duration::from_nanos(u64::MAX);
        for timeout in [Duration::ZERO, far, Duration::MAX] {
            let refused = TimeoutPolicy::new(timeout, SECOND).unwrap_err();
            assert_eq!(refused.field(), "Timeout.timeout");
        }
        for grace in [far, Duration::MAX] {
            let refused = TimeoutPolicy::new(SECOND, grace).unwrap_err();
            assert_eq!(refused.field(), "Timeout.grace");
        }
        let almost = far - Duration::from_nanos(1);
        let policy = TimeoutPolicy::new(almost, almost).expect("in range");
        assert_eq!((policy.timeout(), policy.grace()), (almost, almost));
    }

    #[test]
    fn the_timeout_changes_to_what_is_in_range() {
        let policy = TimeoutPolicy::new(SECOND, Duration::ZERO).expect("in range");
        policy.set_timeout(SECOND * 3).expect("in range");
        assert!(policy.set_timeout(Duration::ZERO).is_err());
        assert_eq!(policy.timeout(), SECOND * 3);
    }
}
