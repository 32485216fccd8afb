//! [`Sleep`]: a timer of the current tokio runtime.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::sync::drop_caught;

pub(super) struct Sleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
    /// The creation time as a tick of our clock, and the length in nanoseconds.
    start: u64,
    left: u64,
}

/// The error of a runtime that has no timers or is gone.
pub(super) struct Refused;

impl Sleep {
    /// Returns `None` outside a runtime, and in a runtime whose time is not enabled. The latter
    /// shows only in a panic of tokio, which is caught (and printed).
    pub(super) fn new(start: u64, left: u64) -> Option<Self> {
        Handle::try_current().ok()?;
        let length = Duration::from_nanos(left);
        let sleep = caught(|| Box::pin(tokio::time::sleep(length))).ok()?;
        Some(Self { sleep, start, left })
    }

    /// Returns whether the time is over, and otherwise arranges for `waker` to be woken.
    pub(super) fn poll(&mut self, waker: &Waker) -> Result<bool, Refused> {
        let mut task = Context::from_waker(waker);
        caught(|| self.sleep.as_mut().poll(&mut task).is_ready())
    }

    pub(super) fn is_over(&self) -> bool {
        self.sleep.is_elapsed()
    }

    /// Returns whether the runtime's clock is ahead of the system's: at least an eighth of the
    /// timer's time has not passed at the tick `now`. Clocks that only drift differ by some parts
    /// in a thousand at most.
    pub(super) fn is_ahead(&self, now: u64) -> bool {
        now.saturating_sub(self.start) < self.left - self.left / 8
    }
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Refused> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        drop_caught(|| drop(payload));
        Refused
    })
}
