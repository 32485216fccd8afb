//! [`Horizon`]: the remaining time of a run that several dispatches wait for.

use std::time::{Duration, Instant};

use crate::clock::Clock;
use crate::sync::PlainArc;

/// The time until the last dispatch that waits for a run leaves. The context of the run carries a horizon as
/// a value, which tells the remaining time and sets no limit.
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

    /// Returns the time until the last waiting dispatch leaves. Returns `None` while one of them has no
    /// limit, and after the run is over.
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
