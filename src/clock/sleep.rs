//! [`Sleep`]: a wait until a tick.

use std::pin::Pin;
use std::task::{self, Poll};

use super::{Clock, Due};

/// A wait on a clock, which arms an alarm at the first poll and disarms it when dropped.
pub(crate) struct Sleep<'c> {
    clock: &'c Clock,
    due: Due,
}

impl Clock {
    /// Waits until the clock is at `tick`, and not at all if the clock is there already.
    pub(crate) fn sleep_until(&self, tick: u64) -> Sleep<'_> {
        Sleep {
            clock: self,
            due: Due::new(tick),
        }
    }
}

impl Future for Sleep<'_> {
    /// The time after the wait.
    type Output = u64;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<u64> {
        let this = self.get_mut();
        match this.due.poll(this.clock, task.waker()) {
            Some(now) => Poll::Ready(now),
            None => Poll::Pending,
        }
    }
}
