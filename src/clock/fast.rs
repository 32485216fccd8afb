//! [`FastClock`]: the processor's time stamp counter, in nanoseconds.

/// A clock that reads the counter through [`quanta`], which calibrates the counter. Where the
/// processor keeps no reliable counter, quanta reads the system's clock.
#[derive(Debug)]
pub(super) struct FastClock {
    source: quanta::Clock,
    /// Nanoseconds per count, in parts of 2^64. 0 if that is not a fraction: quanta converts then.
    ///
    /// The conversion of quanta shifts a product of two words by a number that has to be read. On
    /// some processors that takes longer than the whole of a policy (2026-11: 2 ns a reading).
    nanos_per_count: u64,
}

impl FastClock {
    /// Calibrates the counter, which takes up to 200 ms.
    pub(super) fn new() -> Self {
        let source = quanta::Clock::new();
        let nanos_per_count = fraction(source.delta_as_nanos(0, MANY));
        Self {
            source,
            nanos_per_count,
        }
    }

    /// Returns the time in nanoseconds, from 1 up. Counting starts at the counter's own zero, some
    /// time before the process began. A deadline in the past therefore has a tick of its own, too.
    #[inline(always)]
    pub(super) fn ticks(&self) -> u64 {
        let count = self.source.raw();
        let nanos = match self.nanos_per_count {
            0 => self.convert(count),
            fraction => high_word(count, fraction),
        };
        nanos.wrapping_add(1)
    }

    #[cold]
    #[inline(never)]
    fn convert(&self, count: u64) -> u64 {
        self.source.delta_as_nanos(0, count)
    }
}

/// A number of counts: large enough to measure one, small enough for their nanoseconds to fit a
/// word.
const MANY: u64 = 1 << 56;

/// Returns the fraction of 2^64 that one of [`MANY`] counts takes, given the nanoseconds of all.
/// Returns 0 if a count takes a nanosecond or longer.
fn fraction(nanos_of_many: u64) -> u64 {
    if nanos_of_many < MANY {
        nanos_of_many << (u64::BITS - MANY.ilog2())
    } else {
        0
    }
}

#[inline(always)]
fn high_word(one: u64, other: u64) -> u64 {
    ((u128::from(one) * u128::from(other)) >> u64::BITS) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn counts_become_nanoseconds() {
        let two_gigahertz = fraction(MANY / 2);
        assert_eq!(high_word(3_000_000_001, two_gigahertz), 1_500_000_000);
        let three_gigahertz = fraction(MANY / 3);
        assert_eq!(high_word(3 << 40, three_gigahertz), (1 << 40) - 1);
    }

    #[test]
    fn a_counter_below_one_gigahertz_is_left_to_quanta() {
        assert_eq!([fraction(MANY), fraction(MANY + 1)], [0, 0]);
    }

    #[test]
    fn it_agrees_with_quanta() {
        let clock = FastClock::new();
        let now = || clock.source.delta_as_nanos(0, clock.source.raw());
        let (before, tick, after) = (now(), clock.ticks(), now());
        // The factor has at least 54 bits, which is a day apart in more than 10,000 years.
        let error = after >> 50;
        assert!(
            before - error - 1 <= tick && tick <= after,
            "{before} {tick} {after}"
        );
    }
}
