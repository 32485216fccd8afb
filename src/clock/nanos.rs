//! [`nanos`] and [`limit`]: a duration as one word.

use std::time::Duration;

/// Nanoseconds; saturates after 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the duration of a limit in nanoseconds: none for `u64::MAX`.
pub(crate) fn limit(nanos: u64) -> Option<Duration> {
    (nanos != u64::MAX).then(|| Duration::from_nanos(nanos))
}
