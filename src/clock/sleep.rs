//! [`Sleep`]: waits until a tick.

use std::pin::Pin;
use std::task::{self, Poll};

use super::{Alarm, Clock};

/// A wait on a clock. Arms an alarm at its first poll, disarms it when dropped.
#[derive(Debug)]
pub(crate) struct Sleep<'c> {
    clock: &'c Clock,
    until: u64,
    alarm: Option<Alarm>,
}

impl Clock {
    /// Waits until the clock is at `tick`; not at all if it is already.
    pub(crate) fn sleep_until(&self, tick: u64) -> Sleep<'_> {
        Sleep {
            clock: self,
            until: tick,
            alarm: None,
        }
    }
}

impl Future for Sleep<'_> {
    type Output = ();

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.clock.ticks() >= this.until {
            return Poll::Ready(());
        }
        match &mut this.alarm {
            Some(alarm) => alarm.update(task.waker()),
            None => this.alarm = Some(this.clock.arm(this.until, task.waker())),
        }
        Poll::Pending
    }
}
