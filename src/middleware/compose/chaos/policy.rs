//! [`ChaosPolicy`]: selects the dispatches that suffer, and their faults.

use std::fmt;

use crate::random::Random;
use crate::setting::InvalidSetting;
use crate::sync::Versioned;

/// The fault that one dispatch suffers, besides a delay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// The dispatch fails without reaching the inner service.
    Failure,
    /// The dispatch panics without reaching the inner service.
    Panic,
}

/// Draws faults at given rates, where equal seeds draw equal faults in one order.
///
/// ```
/// use arcbus::middleware::chaos::ChaosPolicy;
///
/// let (one, same) = (ChaosPolicy::new(7), ChaosPolicy::new(7));
/// one.set_failures(0.5)?;
/// same.set_failures(0.5)?;
/// let draws = |policy: &ChaosPolicy| (0..100).map(|_| policy.draw_fault()).collect::<Vec<_>>();
/// assert_eq!(draws(&one), draws(&same));
/// # Ok::<(), arcbus::InvalidSetting>(())
/// ```
pub struct ChaosPolicy {
    random: Random,
    /// The numbers of delays, failures and panics in 2^32 draws.
    rates: Versioned<3>,
}

const DELAYS: usize = 0;
const FAILURES: usize = 1;
const PANICS: usize = 2;
/// The number of draws that stands for the rate 1.
const ALWAYS: u64 = 1 << 32;

impl ChaosPolicy {
    /// Creates a policy that draws from the sequence of `seed`, with all rates at 0.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self {
            random: Random::new(seed),
            rates: Versioned::new([0; 3]),
        }
    }

    /// Sets the part of the dispatches that is delayed, from 0 to 1.
    ///
    /// # Errors
    ///
    /// Returns an error if `rate` is out of range, and then changes nothing.
    pub fn set_delays(&self, rate: f64) -> Result<(), InvalidSetting> {
        self.set(DELAYS, rate, "Chaos.latency")
    }

    /// Sets the part of the dispatches that fails, from 0 to 1.
    ///
    /// # Errors
    ///
    /// Returns an error if `rate` is out of range, and then changes nothing.
    pub fn set_failures(&self, rate: f64) -> Result<(), InvalidSetting> {
        self.set(FAILURES, rate, "Chaos.failures")
    }

    /// Sets the part that panics of the dispatches that do not fail, from 0 to 1.
    ///
    /// # Errors
    ///
    /// Returns an error if `rate` is out of range, and then changes nothing.
    pub fn set_panics(&self, rate: f64) -> Result<(), InvalidSetting> {
        self.set(PANICS, rate, "Chaos.panics")
    }

    /// Draws whether the next dispatch is delayed.
    pub fn draw_delay(&self) -> bool {
        self.draw(DELAYS)
    }

    /// Draws the fault of the next dispatch, besides a delay.
    pub fn draw_fault(&self) -> Option<Fault> {
        if self.draw(FAILURES) {
            Some(Fault::Failure)
        } else {
            self.draw(PANICS).then_some(Fault::Panic)
        }
    }

    fn draw(&self, of: usize) -> bool {
        let rate = self.rates.read()[of];
        rate > 0 && self.random.next() >> 32 < rate
    }

    fn set(&self, of: usize, rate: f64, field: &'static str) -> Result<(), InvalidSetting> {
        let share = share(rate, field)?;
        self.rates.update(|mut rates| {
            rates[of] = share;
            rates
        });
        Ok(())
    }
}

/// Converts `rate` to a number of 2^32 draws.
fn share(rate: f64, field: &'static str) -> Result<u64, InvalidSetting> {
    InvalidSetting::unless((0.0..=1.0).contains(&rate), field, "a rate from 0 to 1")?;
    Ok((rate * ALWAYS as f64) as u64)
}

impl fmt::Debug for ChaosPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let rates = self.rates.read().map(|share| share as f64 / ALWAYS as f64);
        f.debug_struct("ChaosPolicy")
            .field("delays", &rates[DELAYS])
            .field("failures", &rates[FAILURES])
            .field("panics", &rates[PANICS])
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const DRAWS: usize = 10_000;

    fn count(policy: &ChaosPolicy, fault: Fault) -> usize {
        let draws = (0..DRAWS).map(|_| policy.draw_fault());
        draws.filter(|drawn| *drawn == Some(fault)).count()
    }

    #[test]
    fn rates_are_kept() {
        let policy = ChaosPolicy::new(1);
        assert_eq!(count(&policy, Fault::Failure), 0);
        policy.set_failures(0.25).unwrap();
        let failures = count(&policy, Fault::Failure);
        assert!((2_300..2_700).contains(&failures), "{failures}");
        policy.set_failures(0.0).unwrap();
        policy.set_panics(1.0).unwrap();
        assert_eq!(count(&policy, Fault::Panic), DRAWS);
        assert!(!policy.draw_delay());
        policy.set_delays(1.0).unwrap();
        assert!(policy.draw_delay());
    }

    #[test]
    fn a_rate_out_of_range_is_refused() {
        let policy = ChaosPolicy::new(1);
        for rate in [-0.1, 1.1, f64::NAN] {
            assert_eq!(policy.set_panics(rate).unwrap_err().field(), "Chaos.panics");
        }
        assert_eq!(policy.draw_fault(), None);
    }
}
