//! What a call that was let through holds, and what one that was not is told.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::CircuitBreakerPolicy;
use super::word::{State, Word};
use crate::nanos::nanos;
use crate::verdict::Verdict;

/// Under which tag, and when, a call was let through. Copied about within this folder; whoever hands it
/// out sees to it that a probe's is completed or given back, once.
#[derive(Clone, Copy, Debug)]
pub(in super::super) struct Ticket {
    pub(super) tag: Word,
    pub(super) entered: u64,
}

/// The call is not timed.
pub(super) const UNTIMED: u64 = u64::MAX;

impl Ticket {
    #[inline(always)]
    pub(super) fn new(tag: Word, entered: u64) -> Self {
        Self { tag, entered }
    }

    /// Of a call that is let through and not counted.
    pub(super) const UNCOUNTED: Self = Self {
        tag: Word::UNCOUNTED,
        entered: UNTIMED,
    };

    #[inline(always)]
    pub(in super::super) fn is_probe(self) -> bool {
        self.tag.is(State::HalfOpen)
    }

    #[inline(always)]
    pub(super) fn is_timed(self) -> bool {
        self.entered != UNTIMED
    }

    /// Whether it took that long. Not if it is not timed, whatever the time.
    #[inline(always)]
    pub(super) fn is_slow(self, slow_after: u64, ended: u64) -> bool {
        ended.saturating_sub(self.entered) >= slow_after
    }
}

/// A call that was let through. [`complete`](Self::complete) tells how it ended; dropped without that,
/// it counts for nothing, and a probe is given back for another call.
#[must_use = "dropped, it counts for nothing"]
pub struct Admission<'a> {
    policy: &'a CircuitBreakerPolicy,
    ticket: Ticket,
}

impl<'a> Admission<'a> {
    #[inline(always)]
    pub(in super::super) fn new(policy: &'a CircuitBreakerPolicy, ticket: Ticket) -> Self {
        Self { policy, ticket }
    }

    /// [`complete`](Self::complete) on the clock's line.
    #[inline(always)]
    pub(in super::super) fn complete_at(self, verdict: Verdict, now: impl Fn() -> u64 + Copy) {
        let (policy, ticket) = (self.policy, self.ticket);
        std::mem::forget(self);
        policy.complete_at(ticket, verdict, now);
    }

    /// Whether it is one of the few that a half-open breaker lets through.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// Tells how the call ended. Changes nothing if the breaker has changed its state since it let the
    /// call through.
    pub fn complete(self, verdict: Verdict, now: Duration) {
        self.complete_at(verdict, || nanos(now));
    }
}

impl Drop for Admission<'_> {
    #[cold]
    fn drop(&mut self) {
        self.policy.give_back(self.ticket);
    }
}

impl fmt::Debug for Admission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Admission")
            .field("is_probe", &self.is_probe())
            .field("epoch", &self.ticket.tag.epoch())
            .finish_non_exhaustive()
    }
}

/// A call was not let through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(super) retry_after: Duration,
}

impl Refused {
    /// When one may be let through again, from now. Of a half-open breaker, when it stops waiting for its
    /// probes, if they do not end before; of one that is forced open, the time that it stays open
    /// otherwise.
    #[must_use]
    pub fn retry_after(&self) -> Duration {
        self.retry_after
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let after = self.retry_after;
        write!(f, "the circuit breaker is open; retry after {after:?}")
    }
}

impl Error for Refused {}
