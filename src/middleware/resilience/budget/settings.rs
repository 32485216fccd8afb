//! [`Settings`]: the ratio, minimum and burst of a budget.

use super::savings::Savings;
use crate::middleware::rate_limit::{Rate, RateLimitPolicy};
use crate::setting::InvalidSetting;

#[derive(Clone, Copy)]
pub(super) struct Settings {
    pub(super) ratio: f64,
    pub(super) minimum_per_second: u32,
    pub(super) burst: u32,
}

impl Settings {
    pub(super) fn check(self) -> Result<(), InvalidSetting> {
        InvalidSetting::unless(
            (0.001..=10.0).contains(&self.ratio),
            "Budget.ratio",
            "from 0.001 to 10 repeats a message",
        )?;
        InvalidSetting::unless(
            self.minimum_per_second <= 1_000_000,
            "Budget.minimum_per_second",
            "at most 1000000 repeats a second",
        )?;
        InvalidSetting::unless(
            (1..=1_000_000).contains(&self.burst),
            "Budget.burst",
            "from 1 to 1000000 repeats",
        )
    }

    pub(super) fn savings(self) -> Savings {
        Savings::full(self.ratio, self.burst)
    }

    /// Creates the rate limit that grants the minimum, or `None` if the minimum is zero.
    pub(super) fn minimum(self) -> Option<RateLimitPolicy> {
        RateLimitPolicy::new(Rate::per_second(self.minimum_per_second)).ok()
    }
}
