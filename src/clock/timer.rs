//! Alarms: a queue of wakers by time, and the thread that rings those of the real clock.

use super::fast::FastClock;
#[cfg(feature = "tokio-time")]
use super::runtime::Sleep;
use crate::sync::{Arc, Condvar, Mutex, OnceLock, thread};
use crate::unwind::wake_caught;
use std::collections::BTreeMap;
use std::fmt;
use std::io;
use std::task::Waker;
use std::time::Duration;

/// How late, in nanoseconds, the thread rings. The counters of two processors may differ a little:
/// who was woken must not find that the time has not come, for nobody would wake it again.
const SKEW: u64 = 1_000;

/// An armed wake-up. Disarms on drop.
pub(crate) struct Alarm {
    /// A copy of the waker that will be woken, compared without a lock.
    waker: Waker,
    armed: Armed,
}

enum Armed {
    /// Nobody will wake: the time had passed, or has rung since.
    Not,
    Queued {
        queue: Arc<TimerQueue>,
        key: Key,
    },
    #[cfg(feature = "tokio-time")]
    Asleep(Sleep),
}

impl Alarm {
    /// An alarm in the queue, or a ringing one if the queue is past `tick`.
    pub(super) fn arm(queue: &Arc<TimerQueue>, tick: u64, waker: &Waker) -> Self {
        let Some(key) = queue.insert(tick, waker.clone()) else {
            return Self::ringing(waker);
        };
        let queue = queue.clone();
        Self {
            waker: waker.clone(),
            armed: Armed::Queued { queue, key },
        }
    }

    /// Wakes at once, and at each [`update`](Self::update).
    pub(super) fn ringing(waker: &Waker) -> Self {
        waker.wake_by_ref();
        Self {
            waker: waker.clone(),
            armed: Armed::Not,
        }
    }

    /// A timer of the runtime that we are in, if it has any.
    #[cfg(feature = "tokio-time")]
    pub(super) fn by_runtime(left: Duration, waker: &Waker) -> Option<Self> {
        let mut alarm = Self {
            waker: waker.clone(),
            armed: Armed::Asleep(Sleep::new(left)?),
        };
        alarm.update(waker);
        Some(alarm)
    }

    /// Replaces the waker if it is another (not `will_wake`). Wakes it at once if the alarm had
    /// rung when it was armed, or has rung for the waker that was replaced.
    pub(crate) fn update(&mut self, waker: &Waker) {
        match &mut self.armed {
            Armed::Queued { .. } if self.waker.will_wake(waker) => return,
            Armed::Queued { queue, key } if queue.replace(*key, waker.clone()) => {}
            #[cfg(feature = "tokio-time")]
            Armed::Asleep(sleep) => match sleep.poll(waker) {
                Ok(false) => {}
                Ok(true) => waker.wake_by_ref(),
                Err(_) => {
                    self.armed = Armed::Not;
                    waker.wake_by_ref();
                }
            },
            _ => {
                self.armed = Armed::Not;
                waker.wake_by_ref();
            }
        }
        self.waker.clone_from(waker);
    }

    /// Whether a timer of the runtime says that the time has come, by a clock of its own: one that
    /// tests pause and move, say. The other alarms ring by the clock that their waiter asks.
    pub(super) fn has_come(&self) -> bool {
        match &self.armed {
            #[cfg(feature = "tokio-time")]
            Armed::Asleep(sleep) => sleep.is_over(),
            _ => false,
        }
    }
}

impl Drop for Alarm {
    fn drop(&mut self) {
        if let Armed::Queued { queue, key } = &self.armed {
            queue.remove(*key);
        }
    }
}

impl fmt::Debug for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let tick = match &self.armed {
            Armed::Queued { key, .. } => Some(key.tick),
            _ => None,
        };
        f.debug_struct("Alarm")
            .field("tick", &tick)
            .finish_non_exhaustive()
    }
}

/// Ordered by time, then by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    tick: u64,
    id: u64,
}

/// Wakers by the time at which they are due.
///
/// Removal is exact: a long timeout whose dispatch is soon over leaves nothing behind. Wakers run,
/// and are dropped, outside the lock.
pub(super) struct TimerQueue {
    alarms: Mutex<Alarms>,
    /// Told when an alarm is due before the sleeper would get up.
    sooner: Condvar,
}

struct Alarms {
    wakers: BTreeMap<Key, Waker>,
    next_id: u64,
    /// The latest time that was rung; what is due by then is not taken in any more.
    rung: u64,
    /// Until when [`TimerQueue::sleep`] sleeps; 0 while nobody does, who then looks for itself.
    asleep_until: u64,
}

impl TimerQueue {
    pub(super) fn new() -> Self {
        let alarms = Alarms {
            wakers: BTreeMap::new(),
            next_id: 0,
            rung: 0,
            asleep_until: 0,
        };
        Self {
            alarms: Mutex::new(alarms),
            sooner: Condvar::new(),
        }
    }

    /// `None` if the time has passed: then nobody will wake the waker.
    fn insert(&self, tick: u64, waker: Waker) -> Option<Key> {
        let mut alarms = self.alarms.lock();
        if tick <= alarms.rung {
            // Before the waker, which drops when this returns.
            drop(alarms);
            return None;
        }
        let key = alarms.insert(tick, waker);
        if tick < alarms.asleep_until {
            self.sooner.notify_one();
        }
        Some(key)
    }

    /// False if the alarm has rung.
    fn replace(&self, key: Key, waker: Waker) -> bool {
        let old = match self.alarms.lock().wakers.get_mut(&key) {
            Some(place) => Ok(std::mem::replace(place, waker)),
            None => Err(waker),
        };
        old.is_ok()
    }

    /// When the first waker is due.
    pub(super) fn first(&self) -> Option<u64> {
        self.alarms.lock().wakers.keys().next().map(|key| key.tick)
    }

    fn remove(&self, key: Key) {
        let waker = self.alarms.lock().wakers.remove(&key);
        drop(waker);
    }

    /// Wakes what is due at `now` or before, in the order of time.
    pub(super) fn ring(&self, now: u64) {
        while let Some(waker) = self.pop_due(now) {
            wake_caught(waker);
        }
    }

    fn pop_due(&self, now: u64) -> Option<Waker> {
        let mut alarms = self.alarms.lock();
        alarms.rung = alarms.rung.max(now);
        let first = alarms.wakers.first_entry()?;
        (first.key().tick <= now).then(|| first.remove())
    }

    /// Rings for ever, by a clock that `ticks` reads.
    fn keep_ringing(&self, ticks: impl Fn() -> u64) -> ! {
        loop {
            self.ring(ticks());
            self.sleep(&ticks);
        }
    }

    /// Sleeps until the first alarm is due, or there is a sooner one.
    fn sleep(&self, ticks: impl Fn() -> u64) {
        let mut alarms = self.alarms.lock();
        let first = alarms.wakers.keys().next().map_or(u64::MAX, |key| key.tick);
        let left = first.saturating_sub(ticks());
        if left == 0 {
            return;
        }
        alarms.asleep_until = first;
        let left = Duration::from_nanos(left);
        self.sooner.wait_for(&mut alarms, left);
        alarms.asleep_until = 0;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.alarms.lock().wakers.len()
    }
}

impl Alarms {
    fn insert(&mut self, tick: u64, waker: Waker) -> Key {
        let id = self.next_id;
        self.next_id += 1;
        let key = Key { tick, id };
        self.wakers.insert(key, waker);
        key
    }
}

/// Arms an alarm of the real clock.
pub(super) fn arm(fast: &'static FastClock, tick: u64, waker: &Waker) -> Alarm {
    static DAEMON: OnceLock<Daemon> = OnceLock::new();
    // Time does not pass in a model, nor may a thread outlive it: who waits there polls.
    if tick <= fast.ticks() || cfg!(arcbus_loom) {
        return Alarm::ringing(waker);
    }
    let daemon = DAEMON.get_or_init(Daemon::new);
    match daemon.start(fast) {
        Ok(()) => Alarm::arm(&daemon.queue, tick, waker),
        Err(_) => Alarm::ringing(waker),
    }
}

/// The thread of the real clock's alarms, started by the first of them, and its queue.
struct Daemon {
    queue: Arc<TimerQueue>,
    runs: Mutex<bool>,
}

impl Daemon {
    fn new() -> Self {
        Self {
            queue: Arc::new(TimerQueue::new()),
            runs: Mutex::new(false),
        }
    }

    /// Starts the thread unless it runs. It ends with the process.
    fn start(&self, fast: &'static FastClock) -> io::Result<()> {
        let mut runs = self.runs.lock();
        if !*runs {
            let queue = self.queue.clone();
            thread::Builder::new()
                .name("arcbus-timer".into())
                .spawn(move || queue.keep_ringing(|| fast.ticks().saturating_sub(SKEW)))?;
            *runs = true;
        }
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Clock;
    use super::*;
    use std::task::Wake;
    use std::time::Instant;

    const LONG: Duration = Duration::from_secs(20);

    /// Wakers that note their number when woken.
    #[derive(Clone, Default)]
    pub(in super::super) struct Log(Arc<Noted>);

    #[derive(Default)]
    struct Noted {
        numbers: Mutex<Vec<u64>>,
        changed: Condvar,
    }

    impl Log {
        pub(in super::super) fn note(&self, number: u64) -> Waker {
            let noted = self.0.clone();
            Note::waker(move || {
                noted.numbers.lock().push(number);
                noted.changed.notify_all();
            })
        }

        pub(in super::super) fn waker(number: u64) -> (Self, Waker) {
            let log = Self::default();
            let waker = log.note(number);
            (log, waker)
        }

        pub(in super::super) fn noted(&self) -> Vec<u64> {
            self.0.numbers.lock().clone()
        }

        /// This log and every waker that is alive.
        pub(in super::super) fn holders(&self) -> usize {
            Arc::strong_count(&self.0)
        }

        /// Waits for `count` notes.
        fn wait_for(&self, count: usize) -> Vec<u64> {
            let deadline = Instant::now() + LONG;
            let mut numbers = self.0.numbers.lock();
            while numbers.len() < count {
                let left = deadline.saturating_duration_since(Instant::now());
                assert!(!left.is_zero(), "only {numbers:?} were woken");
                self.0.changed.wait_for(&mut numbers, left);
            }
            numbers.clone()
        }
    }

    /// A waker from a closure.
    pub(in super::super) struct Note<F>(F);

    impl<F: Fn() + Send + Sync + 'static> Note<F> {
        pub(in super::super) fn waker(run: F) -> Waker {
            Waker::from(Arc::new(Self(run)))
        }
    }

    impl<F: Fn() + Send + Sync> Wake for Note<F> {
        fn wake(self: Arc<Self>) {
            (self.0)();
        }
    }

    fn in_millis(clock: &Clock, millis: u64) -> u64 {
        clock.ticks() + millis * 1_000_000
    }

    #[test]
    fn a_real_alarm_rings_not_before_its_time() {
        let clock = Clock::new();
        let (log, waker) = Log::waker(1);
        let tick = in_millis(&clock, 100);
        let _alarm = clock.arm(tick, &waker);
        assert_eq!(log.noted(), []);
        log.wait_for(1);
        assert!(clock.ticks() >= tick);
    }

    #[test]
    fn a_sooner_alarm_gets_the_thread_up() {
        let clock = Clock::new();
        let log = Log::default();
        let _later = clock.arm(in_millis(&clock, 60_000), &log.note(2));
        thread::sleep(Duration::from_millis(10));
        let _sooner = clock.arm(in_millis(&clock, 10), &log.note(1));
        assert_eq!(log.wait_for(1), [1]);
    }

    #[test]
    fn real_alarms_ring_in_order_of_time() {
        let clock = Clock::new();
        let log = Log::default();
        let start = in_millis(&clock, 200);
        let _alarms = [4, 2, 3, 1].map(|nth| clock.arm(start + nth * 1_000, &log.note(nth)));
        assert_eq!(log.wait_for(4), [1, 2, 3, 4]);
    }

    #[test]
    fn a_passed_real_time_wakes_at_once() {
        let clock = Clock::new();
        let (log, waker) = Log::waker(1);
        let mut alarm = clock.arm(clock.ticks(), &waker);
        assert_eq!(log.noted(), [1]);
        alarm.update(&waker);
        assert_eq!(log.noted(), [1, 1]);
    }

    #[test]
    fn a_disarmed_real_alarm_is_silent() {
        let clock = Clock::new();
        let log = Log::default();
        drop(clock.arm(in_millis(&clock, 200), &log.note(1)));
        let _after = clock.arm(in_millis(&clock, 210), &log.note(2));
        assert_eq!(log.wait_for(1), [2]);
    }

    #[test]
    fn a_panicking_waker_ends_nothing() {
        let clock = Clock::new();
        let log = Log::default();
        let bad = Note::waker(|| panic!("a waker of the test"));
        let _bad = clock.arm(in_millis(&clock, 5), &bad);
        let _good = clock.arm(in_millis(&clock, 10), &log.note(1));
        assert_eq!(log.wait_for(1), [1]);
        let _next = clock.arm(in_millis(&clock, 5), &log.note(2));
        assert_eq!(log.wait_for(2), [1, 2]);
    }

    #[test]
    fn a_time_that_never_comes_is_kept_and_disarmed() {
        let clock = Clock::new();
        let (log, waker) = Log::waker(1);
        drop(clock.arm(u64::MAX, &waker));
        drop(waker);
        assert_eq!(log.holders(), 1);
    }

    #[test]
    fn a_queue_past_the_time_takes_no_alarm() {
        let queue = Arc::new(TimerQueue::new());
        let (log, waker) = Log::waker(1);
        queue.ring(10);
        queue.ring(5);
        let alarm = Alarm::arm(&queue, 10, &waker);
        assert_eq!((log.noted(), queue.len()), (vec![1], 0));
        assert_eq!(format!("{alarm:?}"), "Alarm { tick: None, .. }");
        let alarm = Alarm::arm(&queue, 11, &waker);
        assert_eq!((log.noted(), queue.len()), (vec![1], 1));
        assert_eq!(format!("{alarm:?}"), "Alarm { tick: Some(11), .. }");
    }

    #[test]
    fn many_threads_arm_and_disarm() {
        let clock = Clock::new();
        let log = Log::default();
        let round = |nth: u64| {
            let _kept = clock.arm(in_millis(&clock, 60_000), &log.note(nth));
            let _rings = clock.arm(in_millis(&clock, 1 + nth % 3), &log.note(nth));
            log.wait_for(1);
            thread::sleep(Duration::from_millis(5));
        };
        thread::scope(|scope| {
            for nth in 0..4 {
                scope.spawn(move || (0..20).for_each(|i| round(nth + i)));
            }
        });
        assert_eq!(log.holders(), 1, "a waker was left behind");
    }
}
