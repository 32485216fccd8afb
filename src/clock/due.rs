//! [`Due`]: a wait for a tick.

use super::{Alarm, Clock};
use std::task::Waker;

/// A wait for a tick, which arms an alarm only after a poll in vain. The clock decides whether the
/// tick has come, not the ringing of the alarm.
pub(crate) struct Due {
    tick: u64,
    alarm: Option<Alarm>,
}

impl Due {
    pub(crate) fn new(tick: u64) -> Self {
        Self { tick, alarm: None }
    }

    pub(crate) fn tick(&self) -> u64 {
        self.tick
    }

    /// Returns the time once the tick has come. Until then, arranges for `waker` to be woken at the
    /// tick.
    pub(crate) fn poll(&mut self, clock: &Clock, waker: &Waker) -> Option<u64> {
        let now = clock.ticks();
        let come = now >= self.tick || self.wait(now, clock, waker);
        come.then_some(now)
    }

    /// Rearms an alarm that rang too early. Returns whether the alarm rang by a clock of its own,
    /// by which the tick has come.
    fn wait(&mut self, now: u64, clock: &Clock, waker: &Waker) -> bool {
        match &mut self.alarm {
            Some(alarm) if alarm.has_come(now) => return true,
            Some(alarm) if !alarm.is_spent() => alarm.update(waker),
            spent => *spent = Some(clock.arm(self.tick, waker)),
        }
        false
    }
}

#[cfg(test)]
mod tests {
    use super::super::FakeClock;
    use super::super::timer::tests::Log;
    use super::*;
    use std::time::Duration;

    #[test]
    fn it_comes_when_its_tick_has_and_wakes_the_last_who_asked() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let log = Log::default();
        let tick = clock.ticks() + 10;
        let mut due = Due::new(tick);
        assert_eq!(due.poll(&clock, &log.note(1)), None);
        assert_eq!(due.poll(&clock, &log.note(2)), None);
        fake.advance(Duration::from_nanos(9));
        assert_eq!(log.noted(), []);
        fake.advance(Duration::from_nanos(1));
        assert_eq!(log.noted(), [2]);
        assert_eq!(due.poll(&clock, &log.note(3)), Some(tick));
    }

    #[test]
    fn it_arms_nothing_when_its_tick_has_come() {
        let clock = FakeClock::new().clock();
        let (log, waker) = Log::waker(1);
        let now = clock.ticks();
        assert_eq!(Due::new(now).poll(&clock, &waker), Some(now));
        assert_eq!(log.noted(), []);
    }
}
