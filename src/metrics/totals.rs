//! [`Totals`]: the numbers of a route, or of several together.

use std::time::Duration;

use super::histogram::BUCKETS;
use crate::context::Source;
use crate::outcome::ErrorKind;

#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(super) started: u64,
    /// Replies by the bucket of their latency.
    pub(super) replies: Box<[u64]>,
    /// Of those, by source, the handler's left out.
    pub(super) substitutes: [u64; Source::ALL.len() - 1],
    /// Of all replies together.
    pub(super) reply_time: Duration,
    /// Of the slowest reply.
    pub(super) max: Duration,
    pub(super) failures: [u64; ErrorKind::COUNT],
    /// Of all failures together.
    pub(super) failure_time: Duration,
    /// Of the failures, how many found no handler: they passed no layer, and have no time.
    pub(super) unhandled: u64,
}

impl Default for Totals {
    fn default() -> Self {
        Self {
            started: 0,
            replies: vec![0; BUCKETS].into(),
            substitutes: [0; Source::ALL.len() - 1],
            reply_time: Duration::ZERO,
            max: Duration::ZERO,
            failures: [0; ErrorKind::COUNT],
            failure_time: Duration::ZERO,
            unhandled: 0,
        }
    }
}

impl Totals {
    /// Adds the nanoseconds of all replies, of all failures, and of the slowest reply.
    pub(super) fn add_times(&mut self, replies: u64, failures: u64, max: u64) {
        let sum = |sum: Duration, nanos| sum.saturating_add(Duration::from_nanos(nanos));
        self.reply_time = sum(self.reply_time, replies);
        self.failure_time = sum(self.failure_time, failures);
        self.max = self.max.max(Duration::from_nanos(max));
    }

    /// Adds dispatches that found no handler.
    pub(super) fn add_unhandled(&mut self, count: u64) {
        self.started += count;
        self.unhandled += count;
        self.failures[ErrorKind::HandlerNotFound as usize] += count;
    }

    /// Adds another route.
    pub(super) fn add(&mut self, other: &Self) {
        self.started += other.started;
        self.unhandled += other.unhandled;
        add_each(&mut self.replies, &other.replies);
        add_each(&mut self.substitutes, &other.substitutes);
        add_each(&mut self.failures, &other.failures);
        self.reply_time = self.reply_time.saturating_add(other.reply_time);
        self.failure_time = self.failure_time.saturating_add(other.failure_time);
        self.max = self.max.max(other.max);
    }
}

fn add_each(sums: &mut [u64], counts: &[u64]) {
    for (sum, count) in sums.iter_mut().zip(counts) {
        *sum += count;
    }
}
