//! [`Totals`]: the numbers of one route, or the sums over several routes.

use std::time::Duration;

use super::histogram::BUCKETS;
use crate::context::Source;
use crate::outcome::ErrorKind;

#[derive(Clone, Debug)]
pub(crate) struct Totals {
    pub(super) started: u64,
    /// Number of replies, by the bucket of their latency.
    pub(super) replies: Box<[u64]>,
    /// Number of replies by source, without the handler's.
    pub(super) substitutes: [u64; Source::ALL.len() - 1],
    /// Sum of the times of all replies.
    pub(super) reply_time: Duration,
    /// Time of the slowest reply.
    pub(super) max: Duration,
    pub(super) failures: [u64; ErrorKind::COUNT],
    /// Sum of the times of all failures.
    pub(super) failure_time: Duration,
    /// Number of failures without a handler, which passed no layer and have no time.
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
    /// Adds the nanoseconds of all replies and of all failures, and takes over the slowest reply if
    /// slower.
    pub(super) fn add_times(&mut self, replies: u64, failures: u64, max: u64) {
        let sum = |sum: Duration, nanos| sum.saturating_add(Duration::from_nanos(nanos));
        self.reply_time = sum(self.reply_time, replies);
        self.failure_time = sum(self.failure_time, failures);
        self.max = self.max.max(Duration::from_nanos(max));
    }

    /// Adds `count` dispatches that found no handler.
    pub(super) fn add_unhandled(&mut self, count: u64) {
        self.started += count;
        self.unhandled += count;
        self.failures[ErrorKind::HandlerNotFound as usize] += count;
    }

    /// Adds the totals of another route.
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
