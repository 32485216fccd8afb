//! [`Admission`] and [`Refused`]: the two answers of a breaker to a call.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use super::CircuitBreakerPolicy;
use super::word::{State, Word};
use crate::clock::nanos;
use crate::outcome::Verdict;

/// The tag under which a call was admitted, and the time. The modules of this folder copy tickets freely,
/// while an [`Admission`] makes sure that a probe is completed or returned exactly once.
#[derive(Clone, Copy, Debug)]
pub(super) struct Ticket {
    pub(super) tag: Word,
    pub(super) entered: u64,
}

/// The entry time of a call that is not timed.
pub(super) const UNTIMED: u64 = u64::MAX;

impl Ticket {
    #[inline(always)]
    pub(super) fn new(tag: Word, entered: u64) -> Self {
        Self { tag, entered }
    }

    /// The ticket of a call that is admitted and not counted.
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

    /// Returns whether the call took at least `slow_after`. Returns `false` for a call that is not timed, at
    /// any `ended`.
    #[inline(always)]
    pub(super) fn is_slow(self, slow_after: u64, ended: u64) -> bool {
        ended.saturating_sub(self.entered) >= slow_after
    }
}

/// A call that was admitted. [`complete`](Self::complete) reports how the call ended, and
/// [`abandon`](Self::abandon) that its caller ended it. A call that is dropped without either counts for
/// nothing, and a probe is returned for another call.
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

    /// Returns whether this call is a probe, one of the few calls that a half-open breaker admits.
    #[must_use]
    pub fn is_probe(&self) -> bool {
        self.ticket.is_probe()
    }

    /// Reports how the call ended. Does nothing if the breaker has changed its state since it admitted the
    /// call.
    pub fn complete(self, verdict: Verdict, now: Duration) {
        self.complete_at(verdict, || nanos(now));
    }

    /// Reports the end like [`complete`](Self::complete), in ticks of the clock. `now` returns a fixed value.
    #[inline(always)]
    pub(in super::super) fn complete_at(self, verdict: Verdict, now: impl Fn() -> u64 + Copy) {
        let policy = self.policy;
        policy.complete_at(self.into_ticket(), verdict, now);
    }

    /// Reports that the caller ended the call: by a deadline, by a token, or by dropping the future. The call
    /// counts as a failure if it had run for [`slow_after`](super::super::Limits::slow_after) by `now`.
    /// Otherwise the call counts for nothing: a probe is returned for another call, and the wait for the end
    /// of the probes begins anew.
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

    /// Reports the end by the caller like [`abandon`](Self::abandon), in ticks of the clock.
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

/// The error of a call that was rejected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Refused {
    pub(super) retry_after: Duration,
}

impl Refused {
    /// Returns the time from now until a call may be admitted again. For a half-open breaker, this is the
    /// time until it stops waiting for its probes, if they do not end earlier. For a breaker that is forced
    /// open, this is its regular open time.
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
