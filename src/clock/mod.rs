//! Time: one line of nanosecond ticks, conversion from and to [`Instant`], and alarms.
//!
//! A bus stores its [`Clock`]. The default clock reads the processor's time stamp counter through
//! [`quanta`]. A [`FakeClock`] stands still until a test moves it.

mod daemon;
mod due;
mod fake;
mod fast;
mod nanos;
#[cfg(feature = "tokio-time")]
mod runtime;
mod sleep;
mod timer;

pub(crate) use due::Due;
pub use fake::FakeClock;
pub(crate) use nanos::{limit, nanos};
pub(crate) use sleep::Sleep;
pub(crate) use timer::Alarm;

use crate::sync::OnceLock;
use fast::FastClock;
use std::fmt;
use std::task::Waker;
use std::time::{Duration, Instant};

/// Calibrated once in a process, so all real clocks share one line.
static FAST: OnceLock<FastClock> = OnceLock::new();

/// Returns the moment from which the deadlines of a context are counted, so that a deadline is a
/// single word. The epoch is a moment of real time before the start of every fake clock.
pub(crate) fn epoch() -> Instant {
    static EPOCH: OnceLock<Instant> = OnceLock::new();
    *EPOCH.get_or_init(Instant::now)
}

/// The clock of a bus. A clone is cheap and shows the time of the original.
///
/// The default clock reads the time stamp counter where the processor keeps a reliable one, and the
/// system's monotonic clock elsewhere. The first clock of a process calibrates the counter, which
/// takes up to 200 ms.
///
/// A thread of this library rings the alarms of the real clock, which serve deadlines, timeouts and
/// pauses. With the feature `tokio-time`, the timers of a tokio runtime do so instead. The thread
/// runs the wakers one after the other. If a waker blocks for 10 ms, another thread takes over the
/// rest of the alarms. A [`FakeClock`] wakes in [`advance`](FakeClock::advance), on its caller's
/// thread.
///
/// ```
/// use arcbus::{Clock, FakeClock};
/// use std::time::Duration;
///
/// let real = Clock::new();
/// assert!(real.now() <= real.now());
///
/// let fake = FakeClock::new();
/// let clock = Clock::from(fake.clone());
/// let start = clock.now();
/// fake.advance(Duration::from_secs(3));
/// assert_eq!(clock.now() - start, Duration::from_secs(3));
/// ```
#[derive(Clone)]
pub struct Clock {
    source: Source,
}

#[derive(Clone)]
enum Source {
    Fast(&'static FastClock),
    Fake(FakeClock),
}

impl Clock {
    /// Creates a fast monotonic clock, the first of which takes a process up to 200 ms.
    #[must_use]
    pub fn new() -> Self {
        let fast = || {
            daemon::prepare();
            FastClock::new()
        };
        let source = Source::Fast(FAST.get_or_init(fast));
        Self { source }
    }

    /// Returns the real clock for callers that have no clock of their own.
    pub(crate) fn shared() -> &'static Self {
        static SHARED: OnceLock<Clock> = OnceLock::new();
        SHARED.get_or_init(Self::new)
    }

    /// Returns the time as an [`Instant`]. For the real clock, this is [`Instant::now`].
    ///
    /// The fast clock is not used here, because its drift against the system's clock is some parts
    /// in a million. Deadlines are compared with instants that other code read from the system.
    #[must_use]
    pub fn now(&self) -> Instant {
        match &self.source {
            Source::Fast(_) => Instant::now(),
            Source::Fake(fake) => fake.now(),
        }
    }

    /// Returns the time since the origin of this clock, which never changes. Policies take this
    /// duration as their `now`, from the clock of their bus or a clone. All real clocks share one
    /// origin.
    #[must_use]
    pub fn since_origin(&self) -> Duration {
        Duration::from_nanos(self.ticks())
    }

    /// Returns whether both clocks show one time on one line. All real clocks do, and so do all
    /// clocks of one fake.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        match (&self.source, &other.source) {
            (Source::Fast(_), Source::Fast(_)) => true,
            (Source::Fake(one), Source::Fake(other)) => one.is_same(other),
            _ => false,
        }
    }

    /// Returns the time in nanoseconds on this clock's own line, never 0.
    #[inline]
    pub(crate) fn ticks(&self) -> u64 {
        match &self.source {
            Source::Fast(fast) => fast.ticks(),
            Source::Fake(fake) => fake.ticks(),
        }
    }

    /// Returns the tick at which `deadline` falls, and saturates. A past deadline gives a tick at
    /// or before now.
    ///
    /// The real clock reads the system's clock here, so that the drift between them does not add
    /// up.
    pub(crate) fn tick_of(&self, deadline: Instant) -> u64 {
        self.anchor().tick_of(deadline)
    }

    /// Returns the instant at `tick`, the inverse of [`tick_of`](Self::tick_of). Ticks outside the
    /// range of `Instant` saturate: the far future to some 30 years from now, the far past to now.
    pub(crate) fn instant_of(&self, tick: u64) -> Instant {
        self.anchor().instant_of(tick)
    }

    /// Arms an alarm that wakes `waker` once the clock reaches `tick`, or at once if `tick` has
    /// passed.
    ///
    /// With the feature `tokio-time` and inside a runtime, the real clock's alarm is the runtime's
    /// timer. That timer rings by a clock of its own, which tests may pause, so a [`Due`] asks the
    /// timer as well.
    pub(crate) fn arm(&self, tick: u64, waker: &Waker) -> Alarm {
        #[cfg(feature = "tokio-time")]
        if let Source::Fast(fast) = &self.source {
            let now = fast.ticks();
            let left = tick.saturating_sub(now);
            let alarm = || Alarm::by_runtime(now, left, waker);
            if let Some(alarm) = (left > 0).then(alarm).flatten() {
                return alarm;
            }
        }
        self.arm_parked(tick, waker)
    }

    /// Arms an alarm for a thread that parks. The runtime's timers are not used, because the parked
    /// thread may be the one that drives them.
    ///
    /// If the system refuses the thread that keeps the real clock's alarms, the waker is woken at
    /// once, and again at each [`Alarm::update`]. The waiter then polls until the time has come,
    /// which costs a processor but keeps every deadline. The next alarm tries to start the thread
    /// again.
    pub(crate) fn arm_parked(&self, tick: u64, waker: &Waker) -> Alarm {
        match &self.source {
            Source::Fast(fast) => daemon::arm(fast, tick, waker),
            Source::Fake(fake) => fake.arm(tick, waker),
        }
    }

    fn anchor(&self) -> Anchor {
        match &self.source {
            Source::Fast(fast) => Anchor::now(fast),
            Source::Fake(fake) => fake.anchor(),
        }
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.source {
            Source::Fast(_) => f.write_str("Clock(fast)"),
            Source::Fake(fake) => f.debug_tuple("Clock").field(fake).finish(),
        }
    }
}

/// A moment that is known both on a clock's line and as an [`Instant`].
#[derive(Clone, Copy, Debug)]
struct Anchor {
    tick: u64,
    instant: Instant,
}

impl Anchor {
    /// Reads the system's clock first, so that a delay between the two reads makes a deadline late
    /// and never early.
    fn now(fast: &FastClock) -> Self {
        let instant = Instant::now();
        let tick = fast.ticks();
        Self { tick, instant }
    }

    fn tick_of(self, instant: Instant) -> u64 {
        match instant.checked_duration_since(self.instant) {
            Some(ahead) => self.tick.saturating_add(nanos(ahead)),
            None => self
                .tick
                .saturating_sub(nanos(self.instant - instant))
                .max(1),
        }
    }

    fn instant_of(self, tick: u64) -> Instant {
        match tick.checked_sub(self.tick) {
            Some(ahead) => later(self.instant, Duration::from_nanos(ahead)),
            None => self
                .instant
                .checked_sub(Duration::from_nanos(self.tick - tick))
                .unwrap_or(self.instant),
        }
    }
}

fn later(instant: Instant, by: Duration) -> Instant {
    const FAR: Duration = Duration::from_secs(30 * 365 * 24 * 60 * 60);
    instant
        .checked_add(by)
        .or_else(|| instant.checked_add(FAR))
        .unwrap_or(instant)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sync::thread;

    const SECOND: u64 = 1_000_000_000;
    /// Allowance for a busy test machine.
    const SLACK: Duration = Duration::from_secs(2);

    fn apart(one: Instant, other: Instant) -> Duration {
        if one > other {
            one - other
        } else {
            other - one
        }
    }

    #[test]
    fn real_ticks_go_forward_and_are_never_zero() {
        let clock = Clock::default();
        let start = clock.ticks();
        assert!(start >= 1);
        assert!(clock.ticks() >= start);
    }

    #[test]
    fn real_clocks_share_one_line() {
        let one = Clock::new();
        let other = thread::spawn(Clock::new).join().unwrap();
        let (start, middle, end) = (one.ticks(), other.ticks(), one.ticks());
        assert!(start <= middle && middle <= end, "{start} {middle} {end}");
    }

    #[test]
    fn real_ticks_are_nanoseconds() {
        let clock = Clock::new();
        let outer = Instant::now();
        let start = clock.ticks();
        let inner = Instant::now();
        thread::sleep(Duration::from_millis(50));
        let least = inner.elapsed();
        let ticked = Duration::from_nanos(clock.ticks() - start);
        let most = outer.elapsed();
        assert!(ticked >= least.mul_f64(0.99), "{ticked:?} {least:?}");
        assert!(ticked <= most.mul_f64(1.01), "{ticked:?} {most:?}");
    }

    #[test]
    fn real_round_trip_is_close() {
        let clock = Clock::new();
        let now = clock.now();
        for deadline in [
            now,
            now + Duration::from_secs(3600),
            now - Duration::from_millis(5),
        ] {
            let again = clock.instant_of(clock.tick_of(deadline));
            assert!(apart(again, deadline) < SLACK);
        }
    }

    #[test]
    fn a_past_deadline_is_not_after_now() {
        let clock = Clock::new();
        assert!(clock.tick_of(Instant::now()) <= clock.ticks());
        let past = clock.now() - Duration::from_millis(100);
        assert!(clock.tick_of(past) < clock.ticks());
    }

    #[test]
    fn extremes_saturate() {
        let instant = Instant::now();
        let anchor = Anchor { tick: 7, instant };
        assert_eq!(anchor.tick_of(instant - Duration::from_nanos(5)), 2);
        assert_eq!(anchor.tick_of(instant - Duration::from_nanos(7)), 1);
        assert_eq!(anchor.tick_of(instant - Duration::from_nanos(9)), 1);
        let late = Anchor {
            tick: u64::MAX - 1,
            instant,
        };
        assert_eq!(late.tick_of(instant + Duration::from_secs(1)), u64::MAX);
        assert!(anchor.instant_of(u64::MAX) > instant + Duration::from_secs(3600));
        assert!(late.instant_of(0) <= instant);
        assert!(later(instant, Duration::MAX) > instant);
        assert_eq!(nanos(Duration::MAX), u64::MAX);
    }

    #[test]
    fn fake_round_trip_is_exact() {
        let fake = FakeClock::new();
        let clock = fake.clock();
        fake.advance(Duration::from_secs(5));
        let now = clock.now();
        assert_eq!(clock.tick_of(now), clock.ticks());
        assert_eq!(clock.instant_of(clock.ticks()), now);
        let hour = now + Duration::from_secs(3600);
        assert_eq!(clock.tick_of(hour) - clock.ticks(), 3600 * SECOND);
        assert_eq!(clock.instant_of(clock.tick_of(hour)), hour);
        let past = now - Duration::from_secs(60);
        assert_eq!(clock.ticks() - clock.tick_of(past), 60 * SECOND);
        assert_eq!(clock.instant_of(clock.tick_of(past)), past);
    }

    #[test]
    fn debug_is_short() {
        assert_eq!(format!("{:?}", Clock::new()), "Clock(fast)");
        assert!(format!("{:?}", FakeClock::new().clock()).starts_with("Clock(FakeClock {"));
    }

    #[test]
    fn types_cross_threads() {
        static_assertions::assert_impl_all!(Clock: Send, Sync);
        static_assertions::assert_impl_all!(FakeClock: Send, Sync);
        static_assertions::assert_impl_all!(Alarm: Send, Sync);
    }
}
