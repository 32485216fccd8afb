//! Alarms: a queue of wakers, ordered by time.

use super::daemon::is_left_behind;
#[cfg(feature = "tokio-time")]
use super::runtime::Sleep;
use crate::sync::fork_safe::{Condvar, Mutex, MutexGuard};
use crate::sync::{Arc, KeptWaker, Ordering, PlainU64};
use std::collections::BTreeMap;
use std::fmt;
use std::process;
use std::task::Waker;
use std::time::Duration;

/// An armed alarm, which wakes its waker once and is disarmed on drop.
pub(crate) struct Alarm {
    /// A copy of the waker that will be woken, compared without a lock.
    waker: KeptWaker,
    armed: Armed,
}

enum Armed {
    /// No waker is queued: the time had passed when the alarm was armed, or the alarm has rung
    /// since.
    Not,
    Queued {
        queue: Arc<TimerQueue>,
        key: Key,
    },
    #[cfg(feature = "tokio-time")]
    Asleep(Sleep),
}

impl Alarm {
    /// Arms an alarm in the queue, or a ringing alarm if the queue is past `tick`.
    pub(super) fn arm(queue: &Arc<TimerQueue>, tick: u64, waker: &Waker) -> Self {
        // Make both copies before either is kept, because a clone may panic.
        let (compared, kept) = (KeptWaker::of(waker), KeptWaker::of(waker));
        let Some(key) = queue.insert(tick, kept) else {
            return Self::ringing(waker);
        };
        let queue = queue.clone();
        Self {
            waker: compared,
            armed: Armed::Queued { queue, key },
        }
    }

    /// Creates an alarm that wakes at once, and again at each [`update`](Self::update).
    pub(super) fn ringing(waker: &Waker) -> Self {
        waker.wake_by_ref();
        Self {
            waker: KeptWaker::NONE,
            armed: Armed::Not,
        }
    }

    /// Arms a timer of the current runtime, if there is one with timers, that rings `left` after
    /// `now`.
    #[cfg(feature = "tokio-time")]
    pub(super) fn by_runtime(now: u64, left: u64, waker: &Waker) -> Option<Self> {
        let mut alarm = Self {
            waker: KeptWaker::NONE,
            armed: Armed::Asleep(Sleep::new(now, left)?),
        };
        alarm.update(waker);
        Some(alarm)
    }

    /// Replaces the waker, unless both wake one task (`will_wake`). Wakes the new waker at once if
    /// the alarm was armed too late, or has rung for the replaced waker.
    pub(crate) fn update(&mut self, waker: &Waker) {
        match &mut self.armed {
            Armed::Queued { queue, key }
                if self.waker.will_wake(waker) && !queue.has_rung(key.tick) => {}
            Armed::Queued { queue, key } => {
                // Make both copies before either is kept, because a clone may panic.
                let (compared, kept) = (KeptWaker::of(waker), KeptWaker::of(waker));
                if queue.replace(*key, kept) {
                    self.waker = compared;
                } else {
                    self.armed = Armed::Not;
                    waker.wake_by_ref();
                }
            }
            #[cfg(feature = "tokio-time")]
            Armed::Asleep(sleep) => match sleep.poll(waker) {
                Ok(false) => {}
                Ok(true) => waker.wake_by_ref(),
                Err(_) => {
                    self.armed = Armed::Not;
                    waker.wake_by_ref();
                }
            },
            Armed::Not => waker.wake_by_ref(),
        }
    }

    /// Returns whether the alarm rings no more: the alarm has rung, or belongs to the process from
    /// which this one was forked. A waiter whose time has not come yet arms another alarm.
    pub(super) fn is_spent(&self) -> bool {
        match &self.armed {
            Armed::Not => true,
            Armed::Queued { queue, key } => queue.has_rung(key.tick) || queue.is_left_behind(),
            #[cfg(feature = "tokio-time")]
            Armed::Asleep(sleep) => sleep.is_over(),
        }
    }

    /// Returns whether a timer of the runtime has rung by a clock faster than ours, which shows
    /// `_now`. Tests can pause and move the runtime's clock. The other alarms ring by the clock
    /// that their waiter reads.
    pub(super) fn has_come(&self, _now: u64) -> bool {
        match &self.armed {
            #[cfg(feature = "tokio-time")]
            Armed::Asleep(sleep) => sleep.is_over() && sleep.is_ahead(_now),
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

/// The place of an alarm: ordered by time, then by age.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Key {
    tick: u64,
    id: u64,
}

/// Wakers, ordered by the time at which they are due.
///
/// Removal is exact: a long timeout whose dispatch is soon over leaves nothing behind. Wakers run
/// and are dropped outside the lock.
pub(super) struct TimerQueue {
    alarms: Mutex<Alarms>,
    /// The latest time that was rung. Alarms due by then are no longer accepted.
    ///
    /// Relaxed: written under the lock of the alarms. A reader without that lock was woken after
    /// the write, or reads again when woken. No partner, no model.
    rung: PlainU64,
    /// The process whose thread rings the queue, if the queue needs a thread.
    process: Option<u32>,
    /// Notified when a new alarm is due before the sleeper would get up.
    sooner: Condvar,
}

struct Alarms {
    wakers: BTreeMap<Key, KeptWaker>,
    next_id: u64,
    /// The tick until which [`TimerQueue::sleep`] sleeps. 0 while nobody sleeps: the next sleeper
    /// then reads the queue itself.
    asleep_until: u64,
}

impl TimerQueue {
    pub(super) fn new() -> Self {
        let alarms = Alarms {
            wakers: BTreeMap::new(),
            next_id: 0,
            asleep_until: 0,
        };
        Self {
            alarms: Mutex::new(alarms),
            rung: PlainU64::new(0),
            process: None,
            sooner: Condvar::new(),
        }
    }

    /// Creates a queue that a thread of this process rings.
    pub(super) fn of_process(process: u32) -> Self {
        Self {
            process: Some(process),
            ..Self::new()
        }
    }

    /// Returns whether the alarms of `tick` have been rung.
    fn has_rung(&self, tick: u64) -> bool {
        tick <= self.rung.load(Ordering::Relaxed)
    }

    /// Returns whether this process was forked from the process that rings the queue, as far as is
    /// known without a system call.
    fn is_left_behind(&self) -> bool {
        self.process.is_some_and(is_left_behind)
    }

    /// Locks the alarms, unless a thread of another process holds the lock for ever.
    fn lock(&self) -> Option<MutexGuard<'_, Alarms>> {
        let free = self.alarms.try_lock();
        free.or_else(|| match self.process {
            Some(process) if process != process::id() => None,
            _ => Some(self.alarms.lock()),
        })
    }

    /// Inserts a waker, or returns `None` if the time has passed: nobody will wake the waker then.
    fn insert(&self, tick: u64, waker: KeptWaker) -> Option<Key> {
        let mut alarms = self.alarms.lock();
        if self.has_rung(tick) {
            // Unlock before the waker drops, which happens when this function returns.
            drop(alarms);
            return None;
        }
        let key = alarms.insert(tick, waker);
        if tick < alarms.asleep_until {
            self.sooner.notify_one();
        }
        Some(key)
    }

    /// Replaces the waker of an alarm, or returns `false` if the alarm has rung.
    fn replace(&self, key: Key, mut waker: KeptWaker) -> bool {
        // The replaced waker moves to `waker` and drops when this function returns.
        let Some(mut alarms) = self.lock() else {
            return false;
        };
        let kept = alarms.wakers.get_mut(&key);
        kept.map(|kept| std::mem::swap(kept, &mut waker)).is_some()
    }

    /// Returns the tick at which the first waker is due.
    pub(super) fn first(&self) -> Option<u64> {
        self.alarms.lock().wakers.keys().next().map(|key| key.tick)
    }

    fn remove(&self, key: Key) {
        let waker = self
            .lock()
            .and_then(|mut alarms| alarms.wakers.remove(&key));
        drop(waker);
    }

    /// Wakes everything due at `now` or before, in the order of time.
    pub(super) fn ring(&self, now: u64) {
        while let Some(waker) = self.pop_due(now) {
            waker.wake();
        }
    }

    pub(super) fn pop_due(&self, now: u64) -> Option<KeptWaker> {
        let mut alarms = self.alarms.lock();
        self.rung.fetch_max(now, Ordering::Relaxed);
        let first = alarms.wakers.first_entry()?;
        (first.key().tick <= now).then(|| first.remove())
    }

    /// Sleeps until the first alarm is due, or until an earlier alarm is armed.
    pub(super) fn sleep(&self, ticks: impl Fn() -> u64) {
        let mut alarms = self.alarms.lock();
        let first = alarms.wakers.keys().next().map_or(u64::MAX, |key| key.tick);
        let left = first.saturating_sub(ticks());
        if left == 0 {
            return;
        }
        alarms.asleep_until = first;
        let left = Duration::from_nanos(left);
        let (mut alarms, _) = self.sooner.wait_for(alarms, left);
        alarms.asleep_until = 0;
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.alarms.lock().wakers.len()
    }
}

impl Alarms {
    fn insert(&mut self, tick: u64, waker: KeptWaker) -> Key {
        let id = self.next_id;
        self.next_id += 1;
        let key = Key { tick, id };
        self.wakers.insert(key, waker);
        key
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::super::Clock;
    use super::*;
    use crate::sync::thread;
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

        /// Counts this log and every waker that is alive.
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
                (numbers, _) = self.0.changed.wait_for(numbers, left);
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
    fn a_waker_that_blocks_holds_up_no_other_for_long() {
        let clock = Clock::new();
        let log = Log::default();
        let (release, released) = std::sync::mpsc::channel::<()>();
        let released = Mutex::new(released);
        let blocks = Note::waker(move || {
            let _ = released.lock().recv();
        });
        let start = in_millis(&clock, 20);
        let blocked = [1, 2, 3].map(|nth| clock.arm(start + nth, &blocks));
        let _rings = [4, 5, 6].map(|nth| clock.arm(start + nth, &log.note(nth)));
        assert_eq!(log.wait_for(3), [4, 5, 6]);
        // Three threads are still held up, and a fourth rings.
        let _later = clock.arm(in_millis(&clock, 5), &log.note(7));
        assert_eq!(log.wait_for(4), [4, 5, 6, 7]);
        drop(release);
        let _last = clock.arm(in_millis(&clock, 5), &log.note(8));
        assert_eq!(log.wait_for(5), [4, 5, 6, 7, 8]);
        drop(blocked);
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
