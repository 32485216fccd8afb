//! [`FastClock`]: the processor's time stamp counter, in nanoseconds.

/// Reads the counter through [`quanta`], which calibrates it, or the system's clock where the processor
/// keeps no reliable one.
#[derive(Debug)]
pub(super) struct FastClock {
    source: quanta::Clock,
    /// Nanoseconds a count, in parts of 2^64; 0 where that is no fraction: quanta converts then.
    ///
    /// Quanta's own conversion shifts a product of two words by a number that it reads: on some
    /// processors that takes longer than all the rest of a policy (2026-11: 2 ns a reading).
    nanos_per_count: u64,
}

impl FastClock {
    /// Calibrates, for up to 200 ms.
    pub(super) fn new() -> Self {
        let source = quanta::Clock::new();
        let nanos_per_count = fraction(source.delta_as_nanos(0, MANY));
        Self {
            source,
            nanos_per_count,
        }
    }

    /// Nanoseconds, from 1 up. Counted from the counter's own zero, some time before the process began: a
    /// deadline in the past has a tick of its own, too.
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

/// Counts enough to know what one takes, few enough for their nanoseconds to fit a word.
const MANY: u64 = 1 << 56;

/// What part of 2^64 one of [`MANY`] counts is that take so many nanoseconds; 0 if it is not less.
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
        // Its factor has 54 bits and more: a day apart in more than 10,000 years.
        let error = after >> 50;
        assert!(
            before - error - 1 <= tick && tick <= after,
            "{before} {tick} {after}"
        );
    }
}
