//! [`SlidingWindow`]: the operations of both kinds of windows.

use super::rules::{Health, Rules};

/// The number of calls, and of failed and slow calls among them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) failures: u64,
    pub(super) slow: u64,
}

/// The calls of one epoch that are in the window now. Calls of an epoch that is over change nothing.
pub(super) trait SlidingWindow {
    /// The place at which a call was counted.
    type Place: Copy;

    /// Set if [`count`](Self::count) reads the time.
    const ASKS_TIME: bool;

    /// Counts a call that ended at the tick `ended`. Returns `None` if that epoch is over.
    fn count(&self, epoch: u32, ended: u64) -> Option<Self::Place>;

    /// Marks a counted call as failed or slow.
    fn mark(&self, epoch: u32, place: Self::Place, failed: bool, slow: bool);

    /// Judges the window up to that call and the window up to now, and returns the worse result.
    fn judge(&self, epoch: u32, place: Self::Place, rules: &Rules) -> Health;

    /// Returns the counts of the window as of the last counted call.
    fn latest(&self, epoch: u32) -> Counts;
}
