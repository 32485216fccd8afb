//! [`Horizon`]: the time that a run has which several dispatches wait for.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::sync::PlainArc;

/// The time until the last of the dispatches that wait for a run leaves. A value of the run's context, which
/// tells the time without setting a limit.
#[derive(Clone)]
pub(super) struct Horizon {
    clock: Clock,
    latest: PlainArc<dyn Fn() -> Option<u64> + Send + Sync>,
}

impl Horizon {
    pub(super) fn new(
        clock: Clock,
        latest: impl Fn() -> Option<u64> + Send + Sync + 'static,
    ) -> Self {
        Self {
            clock,
            latest: PlainArc::new(latest),
        }
    }

    /// Returns `None` while one of them has no limit, and when the run is over.
    pub(super) fn remaining(&self) -> Option<Duration> {
        let tick = (self.latest)()?;
        Some(Duration::from_nanos(
            tick.saturating_sub(self.clock.ticks()),
        ))
    }

    pub(super) fn expires_at(&self) -> Option<Instant> {
        (self.latest)().map(|tick| self.clock.instant_of(tick))
    }
}
