//! [`nanos`] and [`limit`]: durations as one word.

use std::time::Duration;

/// Returns the duration in nanoseconds, which saturate after 584 years.
pub(crate) fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Returns the duration of a limit given in nanoseconds, or `None` for `u64::MAX`, which is no
/// limit.
pub(crate) fn limit(nanos: u64) -> Option<Duration> {
    (nanos != u64::MAX).then(|| Duration::from_nanos(nanos))
}
