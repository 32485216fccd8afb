//! [`FakeClock`]: a clock for tests, which the test moves.

use super::timer::{Alarm, TimerQueue};
use super::{Anchor, Clock, epoch};
use crate::clock::nanos;
use crate::sync::{Arc, AtomicU64, Ordering, PlainU64};
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

/// The first tick of a fake clock, far enough from 0 that deadlines in the past fit.
const START: u64 = 1 << 62;

/// A clock that stands still until a test moves it, and whose clones show one time.
///
/// ```
/// use arcbus::FakeClock;
/// use std::time::Duration;
///
/// let fake = FakeClock::new();
/// let start = fake.now();
/// assert_eq!(fake.now(), start);
/// fake.advance(Duration::from_millis(20));
/// assert_eq!(fake.now(), start + Duration::from_millis(20));
/// ```
#[derive(Clone)]
pub struct FakeClock {
    shared: Arc<Shared>,
}

struct Shared {
    /// The real time at which the clock was made, which corresponds to `START`.
    start: Instant,
    now: Now,
    reads: PlainU64,
    queue: Arc<TimerQueue>,
}

impl FakeClock {
    /// Creates a clock that stands at the real time of this call.
    #[must_use]
    pub fn new() -> Self {
        // Must come before the start, because no deadline can be earlier than the epoch.
        epoch();
        let shared = Shared {
            start: Instant::now(),
            now: Now(AtomicU64::new(START)),
            reads: PlainU64::new(0),
            queue: Arc::new(TimerQueue::new()),
        };
        let shared = Arc::new(shared);
        Self { shared }
    }

    /// Moves the time forward by `by`, then wakes every waiter whose time has come, in the order of
    /// their times. Saturates some 400 years after the start.
    pub fn advance(&self, by: Duration) {
        let now = self.shared.now.advance(nanos(by));
        self.shared.queue.ring(now);
    }

    /// Returns the time until the next waiter would be woken, or `None` if nobody waits. A
    /// simulation [advances](Self::advance) by this duration when there is nothing else to do.
    ///
    /// ```
    /// use std::convert::Infallible;
    /// use std::future::pending;
    /// use std::pin::pin;
    /// use std::task::{self, Waker};
    /// use std::time::Duration;
    /// use arcbus::{Context, FakeClock, Message, Query, QueryBus, from_async_fn};
    ///
    /// struct Search;
    /// impl Message for Search {
    ///     const NAME: &'static str = "search";
    ///     type Kind = Query;
    ///     type Reply = u32;
    ///     type Error = Infallible;
    /// }
    ///
    /// async fn search(_: Search, _: &Context<'_>) -> Result<u32, Infallible> {
    ///     pending().await
    /// }
    ///
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let fake = FakeClock::new();
    /// let bus = QueryBus::builder().clock(fake.clock()).register(from_async_fn(search)).build()?;
    /// let cx = Context::new().timeout(Duration::from_millis(20));
    /// let mut dispatch = pin!(bus.execute_with(Search, cx));
    /// let mut task = task::Context::from_waker(Waker::noop());
    /// assert_eq!(fake.next_alarm(), None);
    /// assert!(dispatch.as_mut().poll(&mut task).is_pending());
    /// assert_eq!(fake.next_alarm(), Some(Duration::from_millis(20)));
    /// fake.advance(Duration::from_millis(20));
    /// assert!(dispatch.as_mut().poll(&mut task).is_ready());
    /// # Ok(())
    /// # }
    /// ```
    #[must_use]
    pub fn next_alarm(&self) -> Option<Duration> {
        let tick = self.shared.queue.first()?;
        Some(Duration::from_nanos(
            tick.saturating_sub(self.shared.now.get()),
        ))
    }

    /// Returns a [`Clock`] that shows this time, for use in a bus builder.
    #[must_use]
    pub fn clock(&self) -> Clock {
        self.clone().into()
    }

    /// Returns the current time of this clock and of all its clones.
    #[must_use]
    pub fn now(&self) -> Instant {
        self.anchor().instant_of(self.shared.now.get())
    }

    /// Returns how often the buses with this clock have read the time so far. Conversions of
    /// deadlines and calls of [`now`](Self::now) do not count.
    #[must_use]
    pub fn reads(&self) -> u64 {
        self.shared.reads.load(Ordering::Relaxed)
    }

    pub(super) fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.shared, &other.shared)
    }

    #[inline(never)]
    pub(super) fn ticks(&self) -> u64 {
        // Relaxed: a tally that orders nothing.
        self.shared.reads.fetch_add(1, Ordering::Relaxed);
        self.shared.now.get()
    }

    pub(super) fn anchor(&self) -> Anchor {
        Anchor {
            tick: START,
            instant: self.shared.start,
        }
    }

    pub(super) fn arm(&self, tick: u64, waker: &Waker) -> Alarm {
        if tick <= self.shared.now.get() {
            return Alarm::ringing(waker);
        }
        Alarm::arm(&self.shared.queue, tick, waker)
    }
}

impl Default for FakeClock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for FakeClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let advanced = Duration::from_nanos(self.shared.now.get() - START);
        f.debug_struct("FakeClock")
            .field("advanced", &advanced)
            .field("reads", &self.reads())
            .finish_non_exhaustive()
    }
}

impl From<FakeClock> for Clock {
    fn from(fake: FakeClock) -> Self {
        let source = super::Source::Fake(fake);
        Self { source }
    }
}

/// The current tick of the clock.
struct Now(AtomicU64);

impl Now {
    /// Acquire: pairs with the Release in [`advance`](Self::advance). A reader of a time also sees
    /// everything done before the clock was moved there. Model: `clock`.
    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }

    /// Release: pairs with the Acquire in [`get`](Self::get).
    fn advance(&self, by: u64) -> u64 {
        // Relaxed: only the sum is read.
        let mut now = self.0.load(Ordering::Relaxed);
        loop {
            let later = now.saturating_add(by);
            let moved =
                self.0
                    .compare_exchange_weak(now, later, Ordering::Release, Ordering::Relaxed);
            match moved {
                Ok(_) => return later,
                Err(newer) => now = newer,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::Due;
    use super::super::timer::tests::{Log, Note};
    use super::*;
    use crate::sync::thread;

    const SECOND: Duration = Duration::from_secs(1);

    fn in_seconds(clock: &Clock, seconds: u64) -> u64 {
        clock.tick_of(clock.now() + Duration::from_secs(seconds))
    }

    #[test]
    fn stands_still_until_told() {
        let fake = FakeClock::default();
        let start = fake.now();
        thread::sleep(Duration::from_millis(2));
        assert_eq!(fake.now(), start);
        fake.advance(SECOND);
        assert_eq!(fake.clone().clock().now(), start + SECOND);
    }

    #[test]
    fn counts_reads_of_ticks_alone() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let (log, waker) = Log::waker(0);
        let tick = in_seconds(&clock, 1);
        drop(clock.arm(tick, &waker));
        let _ = (clock.now(), clock.instant_of(tick), fake.now());
        assert_eq!(fake.reads(), 0);
        assert_eq!(clock.ticks(), clock.clone().ticks());
        assert_eq!((fake.reads(), log.noted()), (2, vec![]));
    }

    #[test]
    fn saturates() {
        let fake = FakeClock::new();
        let start = fake.now();
        fake.advance(Duration::MAX);
        fake.advance(SECOND);
        assert_eq!(fake.clock().ticks(), u64::MAX);
        assert!(fake.now() > start);
    }

    #[test]
    fn advance_wakes_what_is_due_in_order_of_time() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let log = Log::default();
        let alarms: Vec<_> = [3, 1, 4, 2]
            .map(|seconds| clock.arm(in_seconds(&clock, seconds), &log.note(seconds)))
            .into();
        fake.advance(SECOND - Duration::from_nanos(1));
        assert_eq!(log.noted(), []);
        fake.advance(Duration::from_nanos(1));
        assert_eq!(log.noted(), [1]);
        fake.advance(SECOND * 2);
        assert_eq!(log.noted(), [1, 2, 3]);
        fake.advance(SECOND * 2);
        assert_eq!(log.noted(), [1, 2, 3, 4]);
        drop(alarms);
    }

    #[test]
    fn alarms_of_one_time_wake_in_the_order_they_were_armed() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let log = Log::default();
        let tick = in_seconds(&clock, 1);
        let _alarms = [5, 3, 4].map(|number| clock.arm(tick, &log.note(number)));
        fake.advance(SECOND);
        assert_eq!(log.noted(), [5, 3, 4]);
    }

    #[test]
    fn a_passed_time_wakes_at_once_and_keeps_waking() {
        let clock = FakeClock::new().clock();
        let (log, waker) = Log::waker(7);
        let mut alarm = clock.arm(clock.ticks(), &waker);
        assert_eq!(log.noted(), [7]);
        alarm.update(&waker);
        assert_eq!(log.noted(), [7, 7]);
    }

    #[test]
    fn drop_disarms() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let (log, waker) = Log::waker(1);
        for _ in 0..1000 {
            drop(clock.arm(in_seconds(&clock, 3600), &waker));
        }
        assert_eq!(fake.shared.queue.len(), 0);
        fake.advance(SECOND * 7200);
        assert_eq!(log.noted(), []);
        assert_eq!(log.holders(), 2, "a waker was left behind");
    }

    #[test]
    fn an_alarm_that_rings_early_is_armed_again() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let (log, waker) = Log::waker(1);
        let tick = in_seconds(&clock, 1);
        let mut due = Due::new(tick);
        assert_eq!(due.poll(&clock, &waker), None);
        fake.shared.queue.ring(tick);
        assert_eq!(log.noted(), [1]);
        for times in 2..5 {
            assert_eq!(due.poll(&clock, &waker), None, "it is not the time yet");
            assert_eq!(log.noted().len(), times, "nobody else would wake it");
        }
        fake.advance(SECOND);
        assert_eq!(due.poll(&clock, &waker), Some(tick));
    }

    #[test]
    fn an_update_of_an_alarm_that_has_rung_wakes() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let (log, waker) = Log::waker(1);
        let tick = in_seconds(&clock, 1);
        let mut alarm = clock.arm(tick, &waker);
        fake.shared.queue.ring(tick);
        alarm.update(&waker);
        alarm.update(&waker);
        assert_eq!(log.noted(), [1, 1, 1]);
    }

    #[test]
    fn tells_the_next_alarm() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let (_log, waker) = Log::waker(1);
        assert_eq!(fake.next_alarm(), None);
        let later = clock.arm(in_seconds(&clock, 3), &waker);
        let sooner = clock.arm(in_seconds(&clock, 2), &waker);
        assert_eq!(fake.next_alarm(), Some(SECOND * 2));
        fake.advance(SECOND);
        assert_eq!(fake.next_alarm(), Some(SECOND));
        drop(sooner);
        assert_eq!(fake.next_alarm(), Some(SECOND * 2));
        fake.advance(SECOND * 2);
        assert_eq!(fake.next_alarm(), None);
        drop(later);
    }

    #[test]
    fn update_replaces_the_waker() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let log = Log::default();
        let (old, new) = (log.note(1), log.note(2));
        let mut alarm = clock.arm(in_seconds(&clock, 1), &old);
        alarm.update(&old);
        alarm.update(&new);
        fake.advance(SECOND);
        assert_eq!(log.noted(), [2]);
        alarm.update(&old);
        assert_eq!(log.noted(), [2, 1], "the new one was not told");
    }

    #[test]
    fn a_waker_may_use_the_clock() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        let log = Log::default();
        let again = {
            let (clock, note) = (clock.clone(), log.note(2));
            move || drop(clock.arm(clock.ticks(), &note))
        };
        let _alarm = clock.arm(in_seconds(&clock, 1), &Note::waker(again));
        fake.advance(SECOND);
        assert_eq!(log.noted(), [2]);
    }

    #[test]
    fn no_alarm_is_lost_when_it_races_an_advance() {
        for _ in 0..200 {
            let fake = FakeClock::new();
            let clock = fake.clock();
            let tick = in_seconds(&clock, 1);
            let (log, waker) = Log::waker(1);
            let alarm = thread::scope(|scope| {
                scope.spawn(|| fake.advance(SECOND));
                scope.spawn(|| clock.arm(tick, &waker)).join().unwrap()
            });
            assert_eq!(log.noted(), [1]);
            drop(alarm);
        }
    }

    #[test]
    fn debug_tells_how_far() {
        let fake = FakeClock::new();
        fake.advance(SECOND);
        assert_eq!(
            format!("{fake:?}"),
            "FakeClock { advanced: 1s, reads: 0, .. }"
        );
    }
}
