//! [`Savings`]: the balance of a budget, in one word.

use crate::sync::{AtomicU64, Ordering};

/// The size of one repeat in the unit of the word, which keeps a ratio as a whole number.
const REPEAT: u64 = 1_000;

/// The balance: everything that messages have paid in and no repeat has withdrawn.
///
/// Relaxed everywhere: the word stands alone and publishes nothing else. No partner. Model: `retry`.
#[derive(Debug)]
pub(super) struct Savings {
    /// The amount missing from a full balance, in thousandths of a repeat, so that one load tells "full".
    ///
    /// Invariant: at most `most`.
    missing: AtomicU64,
    ratio: u64,
    most: u64,
}

impl Savings {
    pub(super) fn full(ratio: f64, burst: u32) -> Self {
        Self {
            missing: AtomicU64::new(0),
            // The cast saturates, and turns a ratio that is not a number into 0.
            ratio: (ratio * REPEAT as f64).round() as u64,
            most: u64::from(burst) * REPEAT,
        }
    }

    /// Pays in for one message. Only reads while nothing is missing.
    #[inline(always)]
    pub(super) fn deposit(&self) {
        let missing = self.missing.load(Ordering::Relaxed);
        if missing != 0 {
            self.pay_in(missing, self.ratio);
        }
    }

    /// Puts back a repeat that was withdrawn and never started.
    pub(super) fn put_back(&self) {
        self.pay_in(self.missing.load(Ordering::Relaxed), REPEAT);
    }

    #[cold]
    #[inline(never)]
    fn pay_in(&self, mut missing: u64, amount: u64) {
        while let Err(newer) = self.change(missing, missing.saturating_sub(amount)) {
            missing = newer;
        }
    }

    /// Withdraws one repeat, and returns `false` if the balance holds less than one.
    pub(super) fn take(&self) -> bool {
        let mut missing = self.missing.load(Ordering::Relaxed);
        loop {
            let after = missing + REPEAT;
            if after > self.most {
                return false;
            }
            match self.change(missing, after) {
                Ok(_) => return true,
                Err(newer) => missing = newer,
            }
        }
    }

    fn change(&self, before: u64, after: u64) -> Result<u64, u64> {
        self.missing
            .compare_exchange_weak(before, after, Ordering::Relaxed, Ordering::Relaxed)
    }

    /// Returns the balance in repeats.
    pub(super) fn available(&self) -> f64 {
        let missing = self.missing.load(Ordering::Relaxed);
        (self.most - missing) as f64 / REPEAT as f64
    }
}

#[cfg(all(test, not(arcbus_loom)))]
mod tests {
    use super::*;
    use crate::reach::reach;

    /// Performs every step on a balance of `has` thousandths of a repeat, of at most `most`.
    fn steps(has: u64, ratio: u64, most: u64) -> Vec<u64> {
        let does = |step: &dyn Fn(&Savings) -> bool| {
            let missing = AtomicU64::new(most - has);
            let savings = Savings {
                missing,
                ratio,
                most,
            };
            let done = step(&savings);
            let after = (savings.available() * REPEAT as f64).round() as u64;
            (done, after)
        };
        let taken = does(&Savings::take);
        let expected = match has >= REPEAT {
            true => (true, has - REPEAT),
            false => (false, has),
        };
        assert_eq!(taken, expected, "a repeat of {has}");
        let (_, paid) = does(&|savings| {
            savings.deposit();
            true
        });
        assert_eq!(
            paid,
            has.saturating_add(ratio).min(most),
            "paid in to {has}"
        );
        let (_, back) = does(&|savings| {
            savings.put_back();
            true
        });
        assert_eq!(back, (has + REPEAT).min(most), "put back to {has}");
        vec![taken.1, paid, back]
    }

    #[test]
    fn a_balance_is_what_was_paid_in_and_not_taken_out_and_never_above_its_burst() {
        for ratio in [0, 1, 100, 333, REPEAT, 2 * REPEAT + 1, u64::MAX] {
            for burst in [0, 1, 2, 3] {
                let most = burst * REPEAT;
                let (states, all) = reach(vec![most], 10_000, |has| steps(*has, ratio, most));
                assert!(all && states > burst as usize, "{states}");
            }
        }
        let most = u64::from(u32::MAX) * REPEAT;
        let (states, _) = reach(vec![0, 1, most - 1, most], 8, |has| steps(*has, 100, most));
        assert!(states > 50, "{states}");
    }
}
