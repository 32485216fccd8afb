//! [`Delay`]: the time that a first attempt waits before it is hedged.

use std::time::Duration;

use super::super::layer::{LONGEST, When};
use super::Quantile;
use crate::sync::{AtomicU64, Ordering};

/// A fixed delay or a measured one, limited to a range.
pub(in super::super) struct Delay {
    source: Source,
    /// Relaxed, like `max`: each is a separate word. A reader that sees only the first of two changes is late
    /// by one change. No partner, no model.
    min: AtomicU64,
    max: AtomicU64,
}

enum Source {
    /// A fixed delay in nanoseconds.
    Fixed(u64),
    Measured(Box<Quantile>),
}

impl Delay {
    pub(in super::super) fn fixed(nanos: u64, (min, max): (u64, u64)) -> Self {
        Self::new(Source::Fixed(nanos), min, max)
    }

    pub(in super::super) fn measured_by(quantile: Quantile, (min, max): (u64, u64)) -> Self {
        Self::new(Source::Measured(Box::new(quantile)), min, max)
    }

    fn new(source: Source, min: u64, max: u64) -> Self {
        Self {
            source,
            min: AtomicU64::new(min),
            max: AtomicU64::new(max),
        }
    }

    /// Returns the delay in nanoseconds, or `None` if nothing is measured yet and the range leaves a choice.
    #[inline]
    pub(super) fn nanos(&self) -> Option<u64> {
        let min = self.min.load(Ordering::Relaxed);
        let max = self.max.load(Ordering::Relaxed);
        if min == max {
            return Some(min);
        }
        let delay = match &self.source {
            Source::Fixed(nanos) => *nanos,
            Source::Measured(quantile) => quantile.nanos()?,
        };
        Some(delay.max(min).min(max))
    }

    pub(super) fn set_range(&self, min: u64, max: u64) {
        self.min.store(min, Ordering::Relaxed);
        self.max.store(max, Ordering::Relaxed);
    }

    /// Returns the source of the delay, without its range.
    pub(super) fn when(&self) -> When {
        match &self.source {
            Source::Fixed(nanos) => When::After(Duration::from_nanos(*nanos)),
            Source::Measured(quantile) => When::Quantile(quantile.part()),
        }
    }

    /// Returns the shortest delay, and the longest delay if one is set.
    pub(super) fn range(&self) -> (Duration, Option<Duration>) {
        let [min, max] =
            [&self.min, &self.max].map(|nanos| Duration::from_nanos(nanos.load(Ordering::Relaxed)));
        (min, (max != LONGEST).then_some(max))
    }

    /// Returns the quantile that measures the delay, or `None` for a fixed delay.
    pub(super) fn measured(&self) -> Option<&Quantile> {
        match &self.source {
            Source::Fixed(_) => None,
            Source::Measured(quantile) => Some(quantile),
        }
    }
}
