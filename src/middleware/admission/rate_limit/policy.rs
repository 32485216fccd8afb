//! [`RateLimitPolicy`]: the limit alone, which can be used without a bus.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use super::bucket::{Bucket, Limits, Short, Taken};
use super::line::Line;
use super::rate::Rate;
use crate::clock::nanos;
use crate::outcome::Error;
use crate::setting::InvalidSetting;

/// The names of the two settings of a rate.
pub(super) const RATE: [&str; 2] = ["RateLimit.rate", "RateLimit.burst"];

/// A bucket of tokens that lets messages through at a [`Rate`], by the generic cell rate algorithm.
///
/// The state is one word, the time at which the bucket will be full again, and the rate is another.
/// Taking tokens is one compare-and-swap.
///
/// A `now` is the time since an origin of the caller's choice that never changes. For a policy in a bus
/// the time is [`Clock::since_origin`](crate::Clock::since_origin) of the bus's clock. A caller whose
/// time is earlier than others gets fewer tokens. A `now` may be so early that the wait would exceed the
/// time to fill an empty bucket. Such a time is taken as that of a clock that was set back, and the
/// bucket is empty then and fills from there.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::rate_limit::{Rate, RateLimitPolicy};
///
/// let limit = RateLimitPolicy::new(Rate::per_second(10).burst(2))?;
/// let now = Duration::from_secs(60);
/// assert!(limit.check_n(now, 2).is_ok());
/// let refused = limit.check(now).unwrap_err();
/// assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
/// assert!(limit.check(now + Duration::from_millis(100)).is_ok());
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
pub struct RateLimitPolicy {
    bucket: Bucket,
    limits: Limits,
    line: Line,
}

impl RateLimitPolicy {
    /// Creates a policy with a full bucket that lets no message wait.
    ///
    /// # Errors
    ///
    /// Returns an error if the rate is out of range, as `RateLimit.rate` or `RateLimit.burst`.
    pub fn new(rate: Rate) -> Result<Self, InvalidSetting> {
        Ok(Self {
            bucket: Bucket::default(),
            limits: Limits::new(rate.pack(RATE)?),
            line: Line::default(),
        })
    }

    /// Allows [reservations](Self::reserve) of up to `patience`, which saturates at 584 years.
    #[must_use]
    pub fn wait_at_most(mut self, patience: Duration) -> Self {
        self.limits = self.limits.wait_at_most(nanos(patience));
        self
    }

    /// Takes one token at `now`.
    ///
    /// # Errors
    ///
    /// Returns an error if there is no token, which says when there will be one.
    #[inline]
    pub fn check(&self, now: Duration) -> Result<(), Refused> {
        self.check_n(now, 1)
    }

    /// Takes `count` tokens at `now`, or none. A `count` of 0 takes none.
    ///
    /// # Errors
    ///
    /// Returns an error if there are fewer tokens. If `count` is more than the burst, there never will
    /// be enough.
    #[inline]
    pub fn check_n(&self, now: Duration, count: u32) -> Result<(), Refused> {
        let tick = nanos(now);
        self.check_at(tick, count, || tick)
    }

    /// Takes `count` tokens at `tick`, which may have been read long ago. `now` reads the clock again.
    #[inline]
    pub(super) fn check_at(
        &self,
        tick: u64,
        count: u32,
        now: impl Fn() -> u64,
    ) -> Result<(), Refused> {
        let taken = self.take(tick, count, 0, &now);
        taken.map(drop).map_err(Refused::new)
    }

    /// Takes `count` tokens that are there at `now`, or will be within the longest wait
    /// ([`wait_at_most`](Self::wait_at_most)). They count as taken from then on, so that later callers
    /// wait longer.
    ///
    /// # Errors
    ///
    /// Returns an error if the tokens would take longer, or for ever because `count` is more than the
    /// burst.
    pub fn reserve(&self, now: Duration, count: u32) -> Result<Reservation<'_>, Refused> {
        let (tick, patience) = (nanos(now), self.limits.patience());
        match self.take(tick, count, 0, &|| tick) {
            Ok(taken) => Ok(Reservation::new(self, taken, None)),
            Err(short) => self.reserve_later(short, tick, count, patience),
        }
    }

    /// Reserves tokens that were missing at `tick`, for a caller that waits up to `patience`.
    pub(super) fn reserve_later(
        &self,
        short: Short,
        tick: u64,
        count: u32,
        patience: u64,
    ) -> Result<Reservation<'_>, Refused> {
        let joined = match short.0 > patience {
            true => Err(short),
            false => self
                .line
                .join(|| self.take(tick, count, patience, &|| tick)),
        };
        let (taken, place) = joined.map_err(Refused::new)?;
        Ok(Reservation::new(self, taken, place))
    }

    /// Takes tokens that are there, or come within `patience`.
    #[inline]
    pub(super) fn take(
        &self,
        tick: u64,
        count: u32,
        patience: u64,
        now: &impl Fn() -> u64,
    ) -> Result<Taken, Short> {
        match self.bucket.take(&self.limits, tick, count, patience) {
            Err(short) if self.limits.is_of_later(short) => {
                let now = now();
                self.bucket.set_back(now, self.limits.most_missing());
                self.bucket.take(&self.limits, now, count, patience)
            }
            taken => taken,
        }
    }

    /// Returns the number of tokens at `now`.
    #[must_use]
    pub fn available(&self, now: Duration) -> u32 {
        let missing = self.bucket.missing(nanos(now));
        self.limits.get().tokens(missing)
    }

    /// Returns the rate in force.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.limits.get().rate()
    }

    /// Returns the longest wait for a reservation.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        Duration::from_nanos(self.limits.patience())
    }

    /// Replaces the rate and the burst together at `now`. Each message is held to the old pair or to the
    /// new pair, never to a mixture.
    ///
    /// The time until the bucket is full stays, cut to the time to fill an empty bucket at the new rate
    /// and to serve the longest wait. The new rate therefore holds from now on, however slow the old
    /// rate was. A waiting message keeps its turn.
    ///
    /// # Errors
    ///
    /// Returns an error if the rate is out of range, and then changes nothing.
    pub fn change(&self, now: Duration, rate: Rate) -> Result<(), InvalidSetting> {
        let rate = rate.pack(RATE)?;
        self.limits.set(rate);
        self.bucket.settle(nanos(now), self.limits.most_missing());
        Ok(())
    }
}

/// A reservation of tokens that were taken ahead of their time.
///
/// The tokens are [given back](Self::give_back) by the caller, or by a drop before [`used`](Self::used).
/// Later reservations then move up, or the tokens return to the bucket. The rate is never exceeded. A
/// turn that has come and was not used may be lost.
#[must_use = "dropped, it gives its tokens back"]
pub struct Reservation<'p> {
    policy: &'p RateLimitPolicy,
    taken: Option<Taken>,
    /// The tick at which the reservation was made.
    made: u64,
    /// The number in the line, if the tokens are to be waited for.
    place: Option<u64>,
}

impl<'p> Reservation<'p> {
    fn new(policy: &'p RateLimitPolicy, taken: Taken, place: Option<u64>) -> Self {
        Self {
            policy,
            made: taken.due - taken.wait,
            taken: Some(taken),
            place,
        }
    }

    /// Returns the wait, counted from the `now` of the reservation. The wait becomes shorter when
    /// earlier reservations are given back. Looks at every earlier reservation, under a lock.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let turn = self
            .place
            .map(|place| self.policy.line.turn_after_all(place));
        Duration::from_nanos(turn.map_or(0, |turn| turn.saturating_sub(self.made)))
    }

    /// Keeps the tokens as used.
    pub fn used(mut self) {
        self.taken = None;
        if let Some(place) = self.place.take() {
            self.policy.line.serve(place);
        }
    }

    /// Gives the tokens back at `now`, as far as they have not come in again.
    pub fn give_back(self, now: Duration) {
        self.give_back_at(nanos(now));
    }

    pub(crate) fn give_back_at(mut self, now: u64) {
        match (self.place.take(), self.taken.take()) {
            (Some(place), _) => self.policy.line.leave(place, now, &self.policy.bucket),
            // No message can wait for a reservation, so no later caller has been told its time.
            (None, Some(taken)) if self.policy.limits.patience() == 0 => {
                self.policy.bucket.give_back(taken, now);
            }
            (None, Some(taken)) => self.policy.bucket.put_back(taken),
            (None, None) => {}
        }
    }

    /// Returns the tick of the turn. Keeps `waker`, which is woken if the turn moves up.
    pub(super) fn turn(&self, waker: &Waker) -> u64 {
        let mut kept = Some(waker.clone());
        let turn = |place| self.policy.line.turn(place, &mut kept);
        self.place.map_or(0, turn)
    }
}

/// Gives the tokens back at the latest known time, the time of the reservation.
impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        let Some(taken) = self.taken.take() else {
            return;
        };
        match self.place.take() {
            Some(place) => self
                .policy
                .line
                .leave(place, self.made, &self.policy.bucket),
            None => self.policy.bucket.put_back(taken),
        }
    }
}

/// A refusal because there are too few tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub(super) Short);

impl Refused {
    #[inline]
    pub(super) fn new(short: Short) -> Self {
        Self(short)
    }

    /// Returns the time after which there are enough tokens, if no other caller takes any. Returns
    /// `None` if there never are, because the request was more than the burst.
    #[must_use]
    pub fn retry_after(&self) -> Option<Duration> {
        let Self(short) = *self;
        (short != Short::NEVER).then_some(Duration::from_nanos(short.0))
    }

    #[cold]
    #[inline(never)]
    pub(super) fn into_error<E>(self) -> Error<E> {
        let retry_after = self.retry_after().unwrap_or(Duration::MAX);
        Error::RateLimited { retry_after }
    }
}

/// Formats the settings only. The number of tokens depends on a time, see
/// [`available`](RateLimitPolicy::available).
impl fmt::Debug for RateLimitPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RateLimitPolicy")
            .field("rate", &self.rate())
            .field("longest_wait", &self.longest_wait())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Reservation<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reservation")
            .field("wait", &self.wait())
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Refused")
            .field("retry_after", &self.retry_after())
            .finish()
    }
}
