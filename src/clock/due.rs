//! [`Due`]: waits for a tick.

use super::{Alarm, Clock};
use std::task::Waker;

/// Waits for a tick; armed only when it is asked in vain.
pub(crate) struct Due {
    tick: u64,
    alarm: Option<Alarm>,
}

impl Due {
    pub(crate) fn new(tick: u64) -> Self {
        Self { tick, alarm: None }
    }

    /// The time, once the tick has come; until then sees to it that `waker` is woken when it does.
    pub(crate) fn poll(&mut self, clock: &Clock, waker: &Waker) -> Option<u64> {
        let now = clock.ticks();
        let come = now >= self.tick || self.alarm(clock, waker);
        come.then_some(now)
    }

    fn alarm(&mut self, clock: &Clock, waker: &Waker) -> bool {
        match &mut self.alarm {
            Some(alarm) => alarm.update(waker),
            None => self.alarm = Some(clock.arm(self.tick, waker)),
        }
        false
    }
}
