//! [`RateLimitPolicy`]: the limit alone, to be used without a bus.

use std::fmt;
use std::task::Waker;
use std::time::Duration;

use super::bucket::{Bucket, Limits, Short, Taken};
use super::line::Line;
use super::rate::Rate;
use crate::clock::nanos;
use crate::outcome::Error;
use crate::setting::InvalidSetting;

/// The names of a rate's two settings.
pub(super) const RATE: [&str; 2] = ["RateLimit.rate", "RateLimit.burst"];

/// A bucket of tokens that lets messages through at a [`Rate`], by the generic cell rate algorithm.
///
/// Its state is one word, the time at which the bucket will be full again; the rate is another.
/// Taking tokens is one compare-and-swap.
///
/// A `now` is the time since an origin of the caller's choice that never changes; that of a policy in
/// a bus is [`Clock::since_origin`](crate::Clock::since_origin) of the bus's clock. A caller with an earlier
/// time than others gets less. A `now` so early that it would take longer than to fill an empty bucket is
/// taken for that of a clock that was set back: the bucket is empty then, and fills from there.
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
    /// A full bucket without waiting.
    ///
    /// # Errors
    ///
    /// A rate that is out of range, as `RateLimit.rate` or `RateLimit.burst`.
    pub fn new(rate: Rate) -> Result<Self, InvalidSetting> {
        Ok(Self {
            bucket: Bucket::default(),
            limits: Limits::new(rate.pack(RATE)?),
            line: Line::default(),
        })
    }

    /// The same with [reservations](Self::reserve) of up to `patience`; saturates after 584 years.
    #[must_use]
    pub fn wait_at_most(mut self, patience: Duration) -> Self {
        self.limits = self.limits.wait_at_most(nanos(patience));
        self
    }

    /// Takes one token at `now`.
    ///
    /// # Errors
    ///
    /// There is none: it says when there will be.
    #[inline]
    pub fn check(&self, now: Duration) -> Result<(), Refused> {
        self.check_n(now, 1)
    }

    /// Takes `count` tokens at `now`, or none. Of 0, none.
    ///
    /// # Errors
    ///
    /// There are not as many; there never will be if `count` is more than the burst.
    #[inline]
    pub fn check_n(&self, now: Duration, count: u32) -> Result<(), Refused> {
        let tick = nanos(now);
        self.check_at(tick, count, || tick)
    }

    /// `now` reads the clock anew, where `tick` may have been read long ago.
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
    /// ([`wait_at_most`](Self::wait_at_most)). They count as taken from then on: who comes later waits
    /// longer.
    ///
    /// # Errors
    ///
    /// It would take longer, or for ever: `count` is more than the burst.
    pub fn reserve(&self, now: Duration, count: u32) -> Result<Reservation<'_>, Refused> {
        let (tick, patience) = (nanos(now), self.limits.patience());
        match self.take(tick, count, 0, &|| tick) {
            Ok(taken) => Ok(Reservation::new(self, taken, None)),
            Err(short) => self.reserve_later(short, tick, count, patience),
        }
    }

    /// Reserves what there was too little of at `tick`, for a caller with so much patience.
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

    /// Takes what is there or comes within `patience`.
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

    /// How many tokens there are at `now`.
    #[must_use]
    pub fn available(&self, now: Duration) -> u32 {
        let missing = self.bucket.missing(nanos(now));
        self.limits.get().tokens(missing)
    }

    /// The rate in force.
    #[must_use]
    pub fn rate(&self) -> Rate {
        self.limits.get().rate()
    }

    /// The longest wait for a reservation.
    #[must_use]
    pub fn longest_wait(&self) -> Duration {
        Duration::from_nanos(self.limits.patience())
    }

    /// Replaces rate and burst, together, at `now`. Each message is held to the old ones or to the new
    /// ones, never to one of each.
    ///
    /// The time until the bucket is full stays what it is, cut to what it takes to fill an empty bucket
    /// at the new rate (and to serve the longest wait). So the new rate holds from now on, however slow
    /// the old one was. Who waits already keeps its time.
    ///
    /// # Errors
    ///
    /// The rate is out of range; then nothing is changed.
    pub fn change(&self, now: Duration, rate: Rate) -> Result<(), InvalidSetting> {
        let rate = rate.pack(RATE)?;
        self.limits.set(rate);
        self.bucket.settle(nanos(now), self.limits.most_missing());
        Ok(())
    }
}

/// Tokens that were taken ahead of their time.
///
/// [Given back](Self::give_back), or dropped before [`used`](Self::used), they let those who have reserved
/// since move up, or go back to the bucket. The rate is never exceeded: a turn that has come and was not
/// used may be lost.
#[must_use = "dropped, it gives its tokens back"]
pub struct Reservation<'p> {
    policy: &'p RateLimitPolicy,
    taken: Option<Taken>,
    /// The tick it was made at.
    made: u64,
    /// Its number in the line, if it is to be waited for.
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

    /// Returns how long to wait, from the `now` it was made at. It becomes less when others give back what
    /// they have reserved before it. Looks at every reservation before this one, under a lock.
    #[must_use]
    pub fn wait(&self) -> Duration {
        let turn = self
            .place
            .map(|place| self.policy.line.turn_after_all(place));
        Duration::from_nanos(turn.map_or(0, |turn| turn.saturating_sub(self.made)))
    }

    /// Keeps the tokens.
    pub fn used(mut self) {
        self.taken = None;
        if let Some(place) = self.place.take() {
            self.policy.line.serve(place);
        }
    }

    /// Gives the tokens back at `now`, as much of them as is still worth something.
    pub fn give_back(self, now: Duration) {
        self.give_back_at(nanos(now));
    }

    pub(crate) fn give_back_at(mut self, now: u64) {
        match (self.place.take(), self.taken.take()) {
            (Some(place), _) => self.policy.line.leave(place, now, &self.policy.bucket),
            // Nobody can wait.
            (None, Some(taken)) if self.policy.limits.patience() == 0 => {
                self.policy.bucket.give_back(taken, now);
            }
            (None, Some(taken)) => self.policy.bucket.put_back(taken),
            (None, None) => {}
        }
    }

    /// When its turn comes, as a tick; `waker` is kept, to be woken should it move up.
    pub(super) fn turn(&self, waker: &Waker) -> u64 {
        let mut kept = Some(waker.clone());
        let turn = |place| self.policy.line.turn(place, &mut kept);
        self.place.map_or(0, turn)
    }
}

/// At the latest time that is known: when it was made.
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

/// There are too few tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused(pub(super) Short);

impl Refused {
    #[inline]
    pub(super) fn new(short: Short) -> Self {
        Self(short)
    }

    /// After what time there are enough, if nobody else takes any; `None` if there never are: it was
    /// more than the burst.
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

/// The settings. What is left takes a time: [`available`](RateLimitPolicy::available).
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
