//! [`Sleep`]: a timer of the tokio runtime that we are in.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::pin::Pin;
use std::task::{Context, Waker};
use std::time::Duration;

use tokio::runtime::Handle;

use crate::unwind::drop_caught;

pub(super) struct Sleep {
    sleep: Pin<Box<tokio::time::Sleep>>,
}

/// What its runtime refuses: it has no timers, or is gone.
pub(super) struct Refused;

impl Sleep {
    /// `None` outside a runtime, and in one whose time is not enabled: nothing but a panic of tokio
    /// tells that, which is caught (and printed).
    pub(super) fn new(left: Duration) -> Option<Self> {
        Handle::try_current().ok()?;
        let sleep = caught(|| Box::pin(tokio::time::sleep(left))).ok()?;
        Some(Self { sleep })
    }

    /// Whether it is over; if not, `waker` will be woken.
    pub(super) fn poll(&mut self, waker: &Waker) -> Result<bool, Refused> {
        let mut task = Context::from_waker(waker);
        caught(|| self.sleep.as_mut().poll(&mut task).is_ready())
    }

    pub(super) fn is_over(&self) -> bool {
        self.sleep.is_elapsed()
    }
}

fn caught<T>(work: impl FnOnce() -> T) -> Result<T, Refused> {
    catch_unwind(AssertUnwindSafe(work)).map_err(|payload| {
        drop_caught(|| drop(payload));
        Refused
    })
}
