//! [`Sample`]: the latency of a first attempt, while it is measured.

use std::time::Duration;

use super::HedgePolicy;
use crate::context::Context;

/// Dropped before it is [`answered`](Self::answered), it was cut short.
pub(super) struct Sample<'h, 'c> {
    policy: &'h HedgePolicy,
    cx: &'c Context<'c>,
    /// When the attempt began to wait, as a tick.
    start: u64,
    is_answered: bool,
}

impl<'h, 'c> Sample<'h, 'c> {
    pub(super) fn begin(policy: &'h HedgePolicy, cx: &'c Context<'c>, start: u64) -> Option<Self> {
        policy.is_measured().then_some(Self {
            policy,
            cx,
            start,
            is_answered: false,
        })
    }

    pub(super) fn answered(mut self) {
        self.is_answered = true;
        self.policy.answered(self.until(self.cx.done_tick()));
    }

    fn until(&self, now: u64) -> Duration {
        Duration::from_nanos(now.saturating_sub(self.start))
    }
}

impl Drop for Sample<'_, '_> {
    fn drop(&mut self) {
        if !self.is_answered {
            self.policy.cut_short(self.until(self.cx.clock().ticks()));
        }
    }
}
