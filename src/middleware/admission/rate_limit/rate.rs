//! [`Rate`]: the number of messages in a time, and the number at once.

use std::fmt;
use std::time::Duration;

use crate::outcome::ErrorKind;
use crate::pipeline::Facts;
use crate::setting::InvalidSetting;

/// The longest time in which an empty bucket may fill, a hundred years. With this bound no sum of ticks
/// comes near the end of their range.
const LONGEST_FILL: u64 = 100 * 365 * 24 * 60 * 60 * 1_000_000_000;

/// A number of messages in a time, and the number of them that may come at once. A rate is a bucket of
/// `burst` tokens that gets one more token each [`interval`](Rate::interval).
///
/// The interval is kept in whole nanoseconds, in 26 significant bits, and rounded up, so that the
/// admitted rate never exceeds the requested one. The admitted rate is less by at most one part in 33
/// million. For rates above a million a second, the share of a nanosecond in the interval is added: 0.1
/// % at a million, 1 % at ten million a second. The range is from one message in a hundred years to
/// 1,000,000,000 a second.
///
/// ```
/// use std::time::Duration;
/// use arcbus::middleware::rate_limit::Rate;
///
/// let rate = Rate::per_second(100).burst(5);
/// assert_eq!(rate.interval(), Duration::from_millis(10));
/// assert_eq!(rate, Rate::every(Duration::from_millis(10)).burst(5));
/// ```
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Rate {
    /// The interval in nanoseconds, such that [`pack`](Self::pack) loses nothing, or 0 for a value out
    /// of range.
    interval: u64,
    burst: u32,
}

impl Rate {
    /// Creates a rate of `count` messages in each second, see [`new`](Self::new).
    #[must_use]
    pub fn per_second(count: u32) -> Self {
        Self::new(count, Duration::from_secs(1))
    }

    /// Creates a rate of one message in each `interval`, and one at a time.
    #[must_use]
    pub fn every(interval: Duration) -> Self {
        Self::new(1, interval)
    }

    /// Creates a rate of `count` messages in each `per`, and as many at once. `count` is at least 1, and
    /// `per` at least a nanosecond for each message. A value out of range is reported where the rate is
    /// used.
    #[must_use]
    pub fn new(count: u32, per: Duration) -> Self {
        Self {
            interval: interval(count, per),
            burst: count,
        }
    }

    /// Sets the number of messages that may come at once after a pause, which are the tokens of a full
    /// bucket. The burst is at least 1, and must fill within a hundred years. The default is the `count`
    /// of the rate. A caller that sends the messages of a second all at its beginning is then not
    /// refused, and no second passes more than twice the count. A burst of 1 spaces the messages out.
    #[must_use]
    pub fn burst(mut self, burst: u32) -> Self {
        self.burst = burst;
        self
    }

    /// Returns the time in which one token comes.
    #[must_use]
    pub fn interval(&self) -> Duration {
        Duration::from_nanos(self.interval)
    }

    /// Returns the tokens of a full bucket.
    #[must_use]
    pub fn burst_size(&self) -> u32 {
        self.burst
    }

    pub(super) fn note(self) -> String {
        format!("one each {:?}, burst {}", self.interval(), self.burst)
    }

    /// Returns the facts of a limit with this rate.
    pub(super) fn facts(self) -> Facts {
        let facts = Facts::new().fails_with(ErrorKind::RateLimited).live();
        facts.note(self.note())
    }

    /// Returns the rate in one word, if in range. `fields` are the names of the rate and the burst.
    pub(super) fn pack(self, fields: [&'static str; 2]) -> Result<Packed, InvalidSetting> {
        let [rate, burst] = fields;
        let in_range = (1..=LONGEST_FILL).contains(&self.interval);
        InvalidSetting::unless(
            in_range,
            rate,
            "between one message in a hundred years and 1000000000 a second",
        )?;
        let fills = self.interval.checked_mul(self.burst.into());
        let in_range = self.burst > 0 && fills.is_some_and(|fills| fills <= LONGEST_FILL);
        InvalidSetting::unless(
            in_range,
            burst,
            "at least 1, and such that an empty bucket fills within a hundred years",
        )?;
        Ok(Packed::new(self.interval, self.burst))
    }
}

impl fmt::Debug for Rate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Rate")
            .field("interval", &self.interval())
            .field("burst", &self.burst)
            .finish()
    }
}

/// Returns the nanoseconds for each of `count` in `per`, rounded up to the kept precision, or 0 if there
/// are none.
fn interval(count: u32, per: Duration) -> u64 {
    let (count, per) = (u128::from(count), per.as_nanos());
    if count == 0 || per < count {
        return 0;
    }
    let nanos = u64::try_from(per.div_ceil(count)).unwrap_or(u64::MAX);
    let shift = exponent(nanos);
    // A value above the longest fill saturates, because that value is out of range in any case.
    nanos.div_ceil(1 << shift).saturating_mul(1 << shift)
}

fn exponent(nanos: u64) -> u32 {
    (u64::BITS - nanos.leading_zeros()).saturating_sub(Packed::MANTISSA_BITS)
}

/// A rate in one word, so that the rate is read and changed as a whole. From the lowest bit the word
/// holds the mantissa of the interval (26 bits), its exponent of two (6), and the burst (32).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Packed(u64);

impl Packed {
    const MANTISSA_BITS: u32 = 26;
    const MANTISSA: u64 = (1 << Self::MANTISSA_BITS) - 1;
    const EXPONENT: u64 = (1 << 6) - 1;
    const BURST_SHIFT: u32 = 32;

    fn new(interval: u64, burst: u32) -> Self {
        let shift = exponent(interval);
        let mantissa = interval >> shift;
        debug_assert_eq!(mantissa << shift, interval, "rounded when it was made");
        let exponent = u64::from(shift) << Self::MANTISSA_BITS;
        Self(mantissa | exponent | (u64::from(burst) << Self::BURST_SHIFT))
    }

    pub(super) fn from_bits(bits: u64) -> Self {
        Self(bits)
    }

    pub(super) fn bits(self) -> u64 {
        self.0
    }

    /// Returns the nanoseconds for a token.
    #[inline]
    pub(super) fn interval(self) -> u64 {
        (self.0 & Self::MANTISSA) << ((self.0 >> Self::MANTISSA_BITS) & Self::EXPONENT)
    }

    #[inline]
    pub(super) fn burst(self) -> u32 {
        (self.0 >> Self::BURST_SHIFT) as u32
    }

    /// Returns the nanoseconds in which an empty bucket fills. They are in range, because [`Rate::pack`]
    /// has checked them.
    #[inline]
    pub(super) fn fill(self) -> u64 {
        self.interval() * u64::from(self.burst())
    }

    /// Returns the tokens of a bucket that will be full in `missing` nanoseconds.
    pub(super) fn tokens(self, missing: u64) -> u32 {
        let tokens = self.fill().saturating_sub(missing) / self.interval();
        u32::try_from(tokens).expect("at most the burst")
    }

    pub(super) fn rate(self) -> Rate {
        Rate {
            interval: self.interval(),
            burst: self.burst(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: [&str; 2] = ["rate", "burst"];
    const DAY: Duration = Duration::from_secs(24 * 60 * 60);

    fn refused(rate: Rate) -> Option<&'static str> {
        rate.pack(FIELDS).err().map(|invalid| invalid.field())
    }

    #[test]
    fn what_is_out_of_range_is_refused_by_name() {
        assert_eq!(refused(Rate::per_second(0)), Some("rate"));
        assert_eq!(refused(Rate::new(5, Duration::ZERO)), Some("rate"));
        assert_eq!(refused(Rate::per_second(1_000_000_001)), Some("rate"));
        assert_eq!(refused(Rate::every(Duration::MAX)), Some("rate"));
        assert_eq!(refused(Rate::every(DAY * 36_501)), Some("rate"));
        assert_eq!(refused(Rate::per_second(1).burst(0)), Some("burst"));
        assert_eq!(refused(Rate::every(DAY).burst(36_501)), Some("burst"));
        assert_eq!(refused(Rate::every(DAY).burst(u32::MAX)), Some("burst"));
    }

    #[test]
    fn the_ends_of_the_range_are_in_it() {
        assert_eq!(refused(Rate::per_second(1_000_000_000)), None);
        assert_eq!(refused(Rate::every(DAY * 36_499)), None);
        assert_eq!(refused(Rate::every(DAY).burst(36_499)), None);
        assert_eq!(
            refused(Rate::per_second(1_000_000_000).burst(u32::MAX)),
            None
        );
    }
}
