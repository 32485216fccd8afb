//! [`Rules`]: the limits in the form that the policy reads, and the cell in which they can be changed.

use std::time::Duration;

use super::limits::{Limits, Window};
use super::window::Counts;
use super::word::Probes;
use crate::clock::nanos;
use crate::sync::{AtomicU64, Ordering, Versioned};

/// A time that never comes: calls are not timed.
pub(super) const NEVER: u64 = u64::MAX;
/// Replaces the time after which a call is slow if calls are timed, but none of them counts as slow.
pub(super) const TIMED: u64 = NEVER - 1;

/// The unit of rates, which are kept in millionths to compare them without rounding: 3 calls of 30 are 10 %.
const WHOLE: u64 = 1_000_000;

/// The state of a window under the rules.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Health {
    Good,
    /// The rate is reached, but the calls are too few to be sure.
    TooFewCalls,
    Bad,
}

/// The decision of the probes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Probed {
    Undecided,
    Good,
    Bad,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Rules {
    /// Used with [`Window::Consecutive`], where the rate is the least possible, so that a single probe that
    /// fails is enough.
    pub(super) failures: u32,
    failure_rate: u32,
    pub(super) slow_calls_after: u64,
    slow_rate: u32,
    minimum_calls: u32,
    pub(super) open_for: u64,
    open_factor: f64,
    open_longest: u64,
    pub(super) probes: u32,
    pub(super) half_open_for: u64,
    slow_after: u64,
}

impl Rules {
    /// Converts limits that were checked.
    pub(super) fn of(limits: &Limits, window: Window) -> Self {
        let (slow_calls_after, slow_rate) = limits
            .slow_calls
            .map_or((NEVER, 1.0), |(after, rate)| (nanos(after), rate));
        let (open_factor, longest) = limits.open_growth.unwrap_or((1.0, limits.open_for));
        Self {
            failures: limits.failures,
            failure_rate: match window {
                Window::Consecutive => 1,
                _ => millionths(limits.failure_rate),
            },
            slow_calls_after,
            slow_rate: millionths(slow_rate),
            minimum_calls: limits.minimum_calls,
            open_for: nanos(limits.open_for),
            open_factor,
            open_longest: nanos(longest),
            probes: limits.half_open_probes,
            half_open_for: nanos(limits.half_open_for),
            slow_after: limits.slow_after.map_or(NEVER, nanos),
        }
    }

    /// Returns the duration from which on a call that its caller ended is a failure.
    pub(super) fn slow_after(&self) -> u64 {
        match self.slow_after {
            NEVER => self.slow_calls_after,
            slow_after => slow_after,
        }
    }

    /// Returns the time that a completed call compares with its duration.
    fn timing(&self) -> u64 {
        match self.slow_calls_after {
            NEVER if self.slow_after != NEVER => TIMED,
            slow_calls_after => slow_calls_after,
        }
    }

    /// Converts the rules back into limits.
    pub(super) fn limits(&self, window: Window) -> Limits {
        let rate = |millionths: u32| f64::from(millionths) / WHOLE as f64;
        let slow_calls_after = Duration::from_nanos(self.slow_calls_after);
        let slow_after = Duration::from_nanos(self.slow_after);
        let growth = (self.open_factor, Duration::from_nanos(self.open_longest));
        let defaults = Limits::of(window);
        Limits {
            failures: self.failures,
            failure_rate: match window {
                Window::Consecutive => defaults.failure_rate,
                _ => rate(self.failure_rate),
            },
            slow_calls: (self.slow_calls_after != NEVER)
                .then(|| (slow_calls_after, rate(self.slow_rate))),
            slow_after: (self.slow_after != NEVER).then_some(slow_after),
            minimum_calls: self.minimum_calls,
            open_for: Duration::from_nanos(self.open_for),
            open_growth: (self.open_factor > 1.0).then_some(growth),
            half_open_probes: self.probes,
            half_open_for: Duration::from_nanos(self.half_open_for),
        }
    }

    pub(super) fn judge(&self, counts: Counts) -> Health {
        let is_reached = reaches(counts.failures, self.failure_rate, counts.calls)
            || reaches(counts.slow, self.slow_rate, counts.calls);
        match is_reached {
            false => Health::Good,
            true if counts.calls < u64::from(self.minimum_calls) => Health::TooFewCalls,
            true => Health::Bad,
        }
    }

    /// Returns `Bad` as soon as the rate is reached whatever the remaining probes do, and `Good` when all
    /// have ended below the rate.
    pub(super) fn judge_probes(&self, probes: Probes) -> Probed {
        let of = u64::from(self.probes.max(probes.done));
        if reaches(probes.failed.into(), self.failure_rate, of)
            || reaches(probes.slow.into(), self.slow_rate, of)
        {
            Probed::Bad
        } else if probes.done >= self.probes {
            Probed::Good
        } else {
            Probed::Undecided
        }
    }

    /// Returns how long the breaker is open after probes have failed `growth` times in a row.
    pub(super) fn open_interval(&self, growth: u32) -> u64 {
        if growth == 0 {
            return self.open_for;
        }
        // The cast saturates.
        let grown = self.open_for as f64 * self.open_factor.powi(growth as i32);
        (grown as u64).min(self.open_longest)
    }

    const WORDS: usize = 8;

    fn pack(&self) -> [u64; Self::WORDS] {
        let pair = |high: u32, low: u32| u64::from(high) << 32 | u64::from(low);
        [
            pair(self.failures, self.failure_rate),
            self.slow_calls_after,
            pair(self.slow_rate, self.minimum_calls),
            self.open_for,
            self.open_factor.to_bits(),
            self.open_longest,
            // A day has 2^47 nanoseconds.
            self.half_open_for << 8 | u64::from(self.probes),
            self.slow_after,
        ]
    }

    fn unpack(words: [u64; Self::WORDS]) -> Self {
        let [
            trip,
            slow_calls_after,
            slow,
            open_for,
            factor,
            open_longest,
            half_open,
            slow_after,
        ] = words;
        let (high, low) = (|word: u64| (word >> 32) as u32, |word: u64| word as u32);
        Self {
            failures: high(trip),
            failure_rate: low(trip),
            slow_calls_after,
            slow_rate: high(slow),
            minimum_calls: low(slow),
            open_for,
            open_factor: f64::from_bits(factor),
            open_longest,
            probes: half_open as u32 & 0xff,
            half_open_for: half_open >> 8,
            slow_after,
        }
    }
}

/// Returns whether `part` is at least `rate` millionths of `whole`. Zero never reaches a rate.
fn reaches(part: u64, rate: u32, whole: u64) -> bool {
    part > 0 && part * WHOLE >= u64::from(rate) * whole
}

fn millionths(rate: f64) -> u32 {
    (rate * WHOLE as f64).round() as u32
}

/// The rules in force.
#[derive(Debug)]
pub(super) struct RulesCell {
    rules: Versioned<{ Rules::WORDS }>,
    /// A copy of the time after which a completed call is slow, or [`TIMED`], so that a good call reads one
    /// word. Only a thread that finds a call slow by the copy reads the rules, and judges again by them: a
    /// rate always goes with its own time.
    ///
    /// Relaxed: each call is judged by one of the times that were in force. Model: `circuit_breaker`.
    slow_calls_after: AtomicU64,
}

impl RulesCell {
    pub(super) fn new(rules: &Rules) -> Self {
        Self {
            rules: Versioned::new(rules.pack()),
            slow_calls_after: AtomicU64::new(rules.timing()),
        }
    }

    #[inline(always)]
    pub(super) fn slow_calls_after(&self) -> u64 {
        self.slow_calls_after.load(Ordering::Relaxed)
    }

    pub(super) fn read(&self) -> Rules {
        Rules::unpack(self.rules.read())
    }

    pub(super) fn set(&self, rules: &Rules) {
        self.rules.update(|_| {
            // Stored while writers take turns, so that the copy belongs to the rules set last.
            self.slow_calls_after
                .store(rules.timing(), Ordering::Relaxed);
            rules.pack()
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(change: impl FnOnce(&mut Limits)) -> Rules {
        let window = Window::Calls(100);
        let mut limits = Limits::of(window);
        change(&mut limits);
        Rules::of(&limits, window)
    }

    fn counts(failures: u64, slow: u64, calls: u64) -> Counts {
        Counts {
            calls,
            failures,
            slow,
        }
    }

    #[test]
    fn a_rate_is_reached_without_rounding() {
        let rules = rules(|limits| limits.failure_rate = 0.1);
        assert_eq!(rules.judge(counts(3, 0, 30)), Health::Bad);
        assert_eq!(rules.judge(counts(2, 0, 30)), Health::Good);
        assert_eq!(rules.judge(counts(2, 0, 19)), Health::TooFewCalls);
        assert_eq!(rules.judge(counts(0, 0, 0)), Health::Good);
    }

    #[test]
    fn slow_calls_have_a_rate_of_their_own() {
        let second = Duration::from_secs(1);
        let rules = rules(|limits| limits.slow_calls = Some((second, 0.8)));
        assert_eq!(rules.judge(counts(0, 79, 100)), Health::Good);
        assert_eq!(rules.judge(counts(0, 80, 100)), Health::Bad);
        assert_eq!(rules.judge(counts(50, 0, 100)), Health::Bad);
    }

    #[test]
    fn intervals_grow_to_the_longest() {
        let rules = rules(|limits| {
            limits.open_for = Duration::from_nanos(10);
            limits.open_growth = Some((1.5, Duration::from_nanos(30)));
        });
        let intervals = [0, 1, 2, 3, 63].map(|growth| rules.open_interval(growth));
        assert_eq!(intervals, [10, 15, 22, 30, 30]);
    }

    #[test]
    fn the_most_extreme_interval_overflows_nothing() {
        let day = Duration::from_secs(86_400);
        let rules = rules(|limits| {
            limits.open_for = day;
            limits.open_growth = Some((100.0, day));
        });
        assert_eq!(rules.open_interval(63), nanos(day));
    }

    #[test]
    fn rules_survive_their_packing() {
        let day = Duration::from_secs(86_400);
        let rules = rules(|limits| {
            limits.failures = 7;
            limits.failure_rate = 0.25;
            limits.slow_calls = Some((day, 0.75));
            limits.slow_after = Some(day);
            limits.open_growth = Some((2.5, day));
            limits.half_open_probes = 63;
            limits.half_open_for = day;
        });
        assert_eq!(Rules::unpack(rules.pack()), rules);
        let window = Window::Calls(100);
        assert_eq!(Rules::of(&rules.limits(window), window), rules);
    }
}
