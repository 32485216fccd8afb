//! [`RateLimitPolicy`]: the limit alone, as a state machine.

use std::time::Duration;

use super::quota::Quota;
use crate::setting::InvalidSetting;
use crate::sync::{AtomicU64, Ordering, Versioned};

/// A rate limit with bursts, in one word: the generic cell rate algorithm (ITU-T I.371).
///
/// The word is the theoretical arrival time of the next message: the moment by which all that was let
/// through so far would have come in at the rate exactly. A message passes while that moment is no
/// further ahead than a burst takes, and moves it on by one interval.
///
/// Messages pass, or are refused, by one compare-and-swap; threads that race for the last token retry.
/// `now` is the time since an origin of the caller's choice that stays the same.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::rate_limit::{Quota, RateLimitPolicy};
///
/// let limit = RateLimitPolicy::new(Quota::per_second(10).burst(2))?;
/// let now = Duration::from_secs(100);
/// assert!(limit.check(now).is_ok());
/// assert!(limit.check(now).is_ok());
/// let refused = limit.check(now).unwrap_err();
/// assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
/// assert!(limit.check(now + Duration::from_millis(100)).is_ok());
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
#[derive(Debug)]
pub struct RateLimitPolicy {
    arrival: Arrival,
    /// [`INTERVAL`] and [`TOLERANCE`].
    limits: Versioned<2>,
}

/// Nanoseconds between messages at the rate.
const INTERVAL: usize = 0;
/// How far ahead of now the theoretical arrival time may be: the intervals of a burst.
const TOLERANCE: usize = 1;

/// Why messages did not pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotNow {
    /// There are not enough tokens yet.
    After(Duration),
    /// They are more than the burst: they never pass together.
    Never,
}

impl NotNow {
    /// When there will be enough tokens, from now; `None`: never.
    #[must_use]
    pub fn retry_after(self) -> Option<Duration> {
        match self {
            Self::After(wait) => Some(wait),
            Self::Never => None,
        }
    }
}

impl RateLimitPolicy {
    /// All tokens are there.
    ///
    /// # Errors
    ///
    /// If the quota is out of range.
    pub fn new(quota: Quota) -> Result<Self, InvalidSetting> {
        Ok(Self {
            arrival: Arrival(AtomicU64::new(0)),
            limits: Versioned::new(words(quota)?),
        })
    }

    /// Takes a token.
    ///
    /// # Errors
    ///
    /// If there is none; then nothing changed.
    pub fn check(&self, now: Duration) -> Result<(), NotNow> {
        self.check_n(1, now)
    }

    /// Takes `n` tokens, or none.
    ///
    /// # Errors
    ///
    /// If there are less than `n`; then nothing changed.
    pub fn check_n(&self, n: u32, now: Duration) -> Result<(), NotNow> {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        match self.check_at(n, now) {
            Ok(()) => Ok(()),
            Err(u64::MAX) => Err(NotNow::Never),
            Err(wait) => Err(NotNow::After(Duration::from_nanos(wait))),
        }
    }

    /// How many tokens there are.
    pub fn available(&self, now: Duration) -> u32 {
        let now = u64::try_from(now.as_nanos()).unwrap_or(u64::MAX);
        let [interval, tolerance] = self.limits.read();
        let ahead = self.arrival.get().saturating_sub(now);
        u32::try_from(tolerance.saturating_sub(ahead) / interval).unwrap_or(u32::MAX)
    }

    /// The quota, as it is kept: to the nanosecond between two messages.
    pub fn quota(&self) -> Quota {
        let [interval, tolerance] = self.limits.read();
        Quota::every(Duration::from_nanos(interval))
            .burst(u32::try_from(tolerance / interval).unwrap_or(u32::MAX))
    }

    /// Changes the quota: rate and burst at once. What was taken before stays taken for as long as it
    /// would have been.
    ///
    /// # Errors
    ///
    /// If the quota is out of range; then nothing changed.
    pub fn set_quota(&self, quota: Quota) -> Result<(), InvalidSetting> {
        let words = words(quota)?;
        self.limits.update(|_| words);
        Ok(())
    }

    /// Takes `n` tokens at a tick, or says how many nanoseconds from now they will be there:
    /// `u64::MAX` for never.
    #[inline(always)]
    pub(crate) fn check_at(&self, n: u32, now: u64) -> Result<(), u64> {
        self.reserve_at(n, now, 0).map(drop)
    }

    /// Takes `n` tokens that will be there in `patience` nanoseconds at the latest; returns the tick
    /// at which they are, which is not after now if they are there already. Who reserves later is
    /// served later.
    ///
    /// A token is given back by [`refund`](Self::refund) only before its tick has come.
    #[inline(always)]
    pub(crate) fn reserve_at(&self, n: u32, now: u64, patience: u64) -> Result<Reservation, u64> {
        let [interval, tolerance] = self.limits.read();
        let cost = interval.saturating_mul(u64::from(n));
        if cost > tolerance {
            return Err(u64::MAX);
        }
        let latest = now.saturating_add(tolerance).saturating_add(patience);
        let arrival = self.arrival.advance(cost, now, latest);
        match arrival {
            Ok(arrival) => Ok(Reservation {
                at: arrival.saturating_sub(tolerance),
                cost,
            }),
            Err(arrival) => Err(arrival.saturating_sub(tolerance).saturating_sub(now)),
        }
    }

    /// Gives back the tokens of a reservation whose tick has not come.
    pub(crate) fn refund(&self, reservation: Reservation) {
        self.arrival.put_back(reservation.cost);
    }
}

/// Tokens that are taken, and when they are there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Reservation {
    pub(crate) at: u64,
    cost: u64,
}

/// The theoretical arrival time.
///
/// Relaxed everywhere: a token guards no memory, so the one order of the changes of this word is
/// enough. Model: `rate_limit`.
#[derive(Debug)]
struct Arrival(AtomicU64);

impl Arrival {
    fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }

    /// Moves on by `cost` from now or from where it is, unless that is later than `latest`; returns
    /// where it is, or where it would be.
    #[inline(always)]
    fn advance(&self, cost: u64, now: u64, latest: u64) -> Result<u64, u64> {
        let mut arrival = self.get();
        loop {
            let next = next_arrival(arrival, cost, now, latest)?;
            let swapped =
                self.0
                    .compare_exchange_weak(arrival, next, Ordering::Relaxed, Ordering::Relaxed);
            match swapped {
                Ok(_) => return Ok(next),
                Err(other) => arrival = other,
            }
        }
    }

    fn put_back(&self, cost: u64) {
        self.0.fetch_sub(cost, Ordering::Relaxed);
    }
}

/// Where an arrival time moves on to, unless that is later than `latest`: then where it would be.
#[inline(always)]
pub(super) fn next_arrival(arrival: u64, cost: u64, now: u64, latest: u64) -> Result<u64, u64> {
    let next = arrival.max(now).saturating_add(cost);
    if next > latest { Err(next) } else { Ok(next) }
}

pub(super) fn words(quota: Quota) -> Result<[u64; 2], InvalidSetting> {
    let (interval, burst) = quota.checked()?;
    let mut words = [0; 2];
    words[INTERVAL] = interval;
    words[TOLERANCE] = interval.saturating_mul(u64::from(burst));
    Ok(words)
}
