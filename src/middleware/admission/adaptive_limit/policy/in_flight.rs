//! [`InFlight`]: the permit of a dispatch in flight.

use std::fmt;
use std::time::Duration;

use super::AdaptiveLimitPolicy;
use crate::clock::nanos;
use crate::outcome::Verdict;

/// A permit to run. A dropped permit is given back, and says nothing about the backend.
#[must_use = "a permit is given back when dropped"]
pub struct InFlight<'a> {
    pub(super) policy: &'a AdaptiveLimitPolicy,
    /// The tick at which the dispatch entered.
    pub(super) entered: u64,
}

impl InFlight<'_> {
    /// Reports an answer, whose latency becomes a sample. `now` is the time as in
    /// [`try_acquire`](AdaptiveLimitPolicy::try_acquire).
    pub fn answered(self, now: Duration) {
        self.answered_at(nanos(now));
    }

    /// Reports a failure for overload, such as a time limit that passed, which lowers the limit.
    pub fn overloaded(self, now: Duration) {
        self.overloaded_at(nanos(now));
    }

    /// Reports that the caller ended the dispatch, by a deadline, by a token, or by leaving. That is an
    /// overload if the dispatch had run for [`slow_after`](super::super::AdaptiveLimit::slow_after) by
    /// `now`. Otherwise nothing is counted, because the latency is not known.
    pub fn abandoned(self, now: Duration) {
        self.abandoned_at(nanos(now));
    }

    #[inline]
    pub(in super::super) fn answered_at(self, tick: u64) {
        if let Some(closed) = self.policy.window.add(self.entered, tick) {
            self.policy.adapt(closed, tick);
        }
    }

    #[cold]
    pub(in super::super) fn overloaded_at(self, tick: u64) {
        if let Some(closed) = self.policy.window.overload(self.entered, tick) {
            self.policy.adapt(closed, tick);
        }
    }

    #[cold]
    pub(in super::super) fn abandoned_at(self, tick: u64) {
        let elapsed = tick.saturating_sub(self.entered);
        if Verdict::of_abandoned(elapsed >= self.policy.slow_after) == Verdict::Failure {
            self.overloaded_at(tick);
        }
    }
}

impl Drop for InFlight<'_> {
    #[inline]
    fn drop(&mut self) {
        self.policy.counts.leave();
    }
}

impl fmt::Debug for InFlight<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("InFlight")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}
