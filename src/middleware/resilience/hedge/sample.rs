//! [`Sample`]: the latency of a first attempt, while it is measured.

use std::time::Duration;

use super::HedgePolicy;
use crate::context::Context;

/// A running measurement. If dropped before the attempt has [`answered`](Self::answered) or was [cut
/// short](Self::cut_short), the attempt counts as abandoned by its caller.
pub(super) struct Sample<'h, 'c> {
    policy: &'h HedgePolicy,
    cx: &'c Context<'c>,
    /// The tick at which the attempt began to wait.
    start: u64,
    has_ended: bool,
}

impl<'h, 'c> Sample<'h, 'c> {
    pub(super) fn begin(policy: &'h HedgePolicy, cx: &'c Context<'c>, start: u64) -> Option<Self> {
        policy.is_measured().then_some(Self {
            policy,
            cx,
            start,
            has_ended: false,
        })
    }

    pub(super) fn answered(mut self) {
        self.has_ended = true;
        self.policy.answered(self.until(self.cx.done_tick()));
    }

    pub(super) fn cut_short(mut self) {
        self.has_ended = true;
        self.policy.cut_short(self.until(self.cx.clock().ticks()));
    }

    fn until(&self, now: u64) -> Duration {
        Duration::from_nanos(now.saturating_sub(self.start))
    }
}

impl Drop for Sample<'_, '_> {
    fn drop(&mut self) {
        if !self.has_ended {
            self.policy.abandoned(self.until(self.cx.clock().ticks()));
        }
    }
}
