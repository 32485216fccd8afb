//! [`RateLimitPolicy`]: the limit alone, to be used without a bus.

use std::fmt;
use std::time::Duration;

use super::bucket::{Bucket, Limits, Short, Taken};
use super::rate::Rate;
use crate::error::Error;
use crate::nanos::nanos;
use crate::setting::InvalidSetting;

/// The names of a rate's two settings.
pub(super) const RATE: [&str; 2] = ["RateLimit.rate", "RateLimit.burst"];

/// A bucket of tokens that lets messages through at a [`Rate`], by the generic cell rate algorithm.
///
/// Its state is one word, the time at which the bucket will be full again; the rate is another.
/// Taking tokens is one compare-and-swap.
///
/// A `now` is the time since an origin of the caller's choice that never changes; that of a policy in
/// a bus is [`Clock::since_origin`](crate::Clock::since_origin) of the bus's clock. It may go back:
/// who brings an earlier time than others gets less, and takes nothing from the limit.
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
    /// The longest wait for a reservation, in nanoseconds.
    patience: u64,
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
            patience: 0,
        })
    }

    /// The same with [reservations](Self::reserve) of up to `patience`; saturates after 584 years.
    #[must_use]
    pub fn wait_at_most(mut self, patience: Duration) -> Self {
        self.patience = nanos(patience);
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
        self.check_at(nanos(now), count)
    }

    #[inline]
    pub(super) fn check_at(&self, tick: u64, count: u32) -> Result<(), Refused> {
        self.take(tick, count, 0).map(drop)
    }

    /// Takes `count` tokens that are there at `now`, or will be within the longest wait
    /// ([`wait_at_most`](Self::wait_at_most)). They count as taken from then on: who comes later waits
    /// longer.
    ///
    /// # Errors
    ///
    /// It would take longer, or for ever: `count` is more than the burst.
    pub fn reserve(&self, now: Duration, count: u32) -> Result<Reservation<'_>, Refused> {
        let taken = self.take(nanos(now), count, self.patience)?;
        Ok(Reservation::new(self, taken))
    }

    #[inline]
    pub(super) fn take(&self, tick: u64, count: u32, patience: u64) -> Result<Taken, Refused> {
        let taken = self.bucket.take(&self.limits, tick, count, patience);
        taken.map_err(Refused::new)
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
        Duration::from_nanos(self.patience)
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
        let most = rate.fill().saturating_add(self.patience);
        self.bucket.settle(nanos(now), most);
        Ok(())
    }
}

/// Tokens that were taken ahead of their time.
///
/// Dropped before [`used`](Self::used), they go back if nobody has taken any since; otherwise they are
/// lost, for those who came later have their times already: the rate is never exceeded, and nobody is
/// served sooner.
#[must_use = "dropped, it gives its tokens back"]
pub struct Reservation<'p> {
    policy: &'p RateLimitPolicy,
    taken: Option<Taken>,
    wait: u64,
}

impl<'p> Reservation<'p> {
    pub(super) fn new(policy: &'p RateLimitPolicy, taken: Taken) -> Self {
        let wait = taken.wait;
        let taken = Some(taken);
        Self {
            policy,
            taken,
            wait,
        }
    }

    /// How long to wait, from the `now` it was made at.
    #[must_use]
    pub fn wait(&self) -> Duration {
        Duration::from_nanos(self.wait)
    }

    /// Keeps the tokens.
    pub fn used(mut self) {
        self.taken = None;
    }
}

impl Drop for Reservation<'_> {
    fn drop(&mut self) {
        if let Some(taken) = self.taken.take() {
            self.policy.bucket.put_back(taken);
        }
    }
}

/// There are too few tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Refused(Short);

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
