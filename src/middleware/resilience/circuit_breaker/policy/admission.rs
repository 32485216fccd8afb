//! What a call that was let through holds, and what one that was not is told.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::CircuitBreakerPolicy;
use super::word::{State, Word};
use crate::clock::nanos;
use crate::outcome::Verdict;

/// The tag under which a call was let through, and the time. Copied within this folder; an [`Admission`] sees
/// to it that a probe's is completed or given back, once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
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
    pub(super) fn is_probe(self) -> bool {
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

/// A call that was let through. [`complete`](Self::complete) tells how it ended, [`abandon`](Self::abandon) that
/// its caller ended it; dropped without either, it counts for nothing, and a probe is given back for another
/// call.
#[must_use = "dropped, it counts for nothing"]
pub struct Admission<'a> {
    policy: &'a CircuitBreakerPolicy,
    ticket: Ticket,
}

impl<'a> Admission<'a> {
    #[inline(always)]
    pub(super) fn new(policy: &'a CircuitBreakerPolicy, ticket: Ticket) -> Self {
        Self { policy, ticket }
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

    /// [`complete`](Self::complete) in ticks of the clock. `now` returns the same value however often it is asked.
    #[inline(always)]
    pub(in super::super) fn complete_at(self, verdict: Verdict, now: impl Fn() -> u64 + Copy) {
        let policy = self.policy;
        policy.complete_at(self.into_ticket(), verdict, now);
    }

    /// Tells that its caller ended the call: by a deadline, by a token, or because it has gone. That is a failure
    /// if the call had run for [`slow_after`](super::super::Limits::slow_after) by `now`. Otherwise it counts for
    /// nothing: a probe is there for another call, and the time for which its end was waited for begins anew.
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::middleware::circuit_breaker::{CircuitBreaker, State};
    ///
    /// let ms = Duration::from_millis;
    /// let breaker = CircuitBreaker::consecutive(1).slow_after(ms(1000)).policy()?;
    /// breaker.try_admit(ms(0)).expect("closed").abandon(ms(3));
    /// assert_eq!(breaker.state(), State::Closed);
    /// breaker.try_admit(ms(3)).expect("closed").abandon(ms(1003));
    /// assert_eq!(breaker.state(), State::Open);
    /// # Ok::<(), arcbus::InvalidSetting>(())
    /// ```
    pub fn abandon(self, now: Duration) {
        self.abandon_at(&|| nanos(now));
    }

    /// [`abandon`](Self::abandon) in ticks of the clock.
    pub(in super::super) fn abandon_at(self, now: &dyn Fn() -> u64) {
        let policy = self.policy;
        policy.abandon_at(self.into_ticket(), now);
    }

    #[inline(always)]
    fn into_ticket(self) -> Ticket {
        let ticket = self.ticket;
        std::mem::forget(self);
        ticket
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
