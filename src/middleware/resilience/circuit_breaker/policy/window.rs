//! [`SlidingWindow`]: what both kinds of windows do.

use super::rules::{Health, Rules};

/// Calls, and how many of them failed or were slow.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// The calls of one epoch that count now. Those of an epoch that is over change nothing.
pub(super) trait SlidingWindow {
    /// Where a call was counted.
    type Place: Copy;

    /// Whether [`count`](Self::count) looks at the time.
    const ASKS_TIME: bool;

    /// Counts a call that ended at the tick `ended`; nothing if that epoch is over.
    fn count(&self, epoch: u32, ended: u64) -> Option<Self::Place>;

    /// Adds to a call that was counted that it failed or was slow.
    fn mark(&self, epoch: u32, place: Self::Place, failed: bool, slow: bool);

    /// What the window says, of those up to that call and of those up to now the worse.
    fn judge(&self, epoch: u32, place: Self::Place, rules: &Rules) -> Health;

    /// What was in it when a call was counted last.
    fn latest(&self, epoch: u32) -> Counts;
}
