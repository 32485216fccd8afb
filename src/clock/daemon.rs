//! [`Daemon`]: the threads that ring the alarms of the real clock.

use super::fast::FastClock;
use super::timer::{Alarm, TimerQueue};
use crate::sync::fork_safe::{Condvar, Mutex};
use crate::sync::{Arc, OnceLock, Ordering, PlainU64, thread};
use std::io;
use std::process;
use std::task::Waker;
use std::time::Duration;

/// Nanoseconds by which a thread rings late, because the counters of two processors may differ a
/// little. A task that is woken too early finds that its time has not come, and arms another alarm.
const SKEW: u64 = 1_000;

/// Time that one waker may hold up the alarms behind it before another thread rings them.
const PATIENCE: Duration = Duration::from_millis(10);

/// The process that armed an alarm last. A forked child finds its parent's number here until the
/// child arms its own first alarm.
///
/// Relaxed: one word, and the child of a fork sees everything that its parent wrote. No partner, no
/// model.
static PROCESS: PlainU64 = PlainU64::new(0);

/// Arms an alarm of the real clock.
pub(super) fn arm(fast: &'static FastClock, tick: u64, waker: &Waker) -> Alarm {
    // Time does not pass in a model, nor may a thread outlive one: waiters in a model poll.
    if tick <= fast.ticks() || cfg!(arcbus_loom) {
        return Alarm::ringing(waker);
    }
    let daemon = Daemon::of_this_process();
    match daemon.start(fast) {
        Ok(()) => Alarm::arm(&daemon.queue, tick, waker),
        Err(_) => Alarm::ringing(waker),
    }
}

/// Initializes the locks that a fork must not find half made. Does nothing in a model, which must
/// end without its locks.
pub(super) fn prepare() {
    if !cfg!(arcbus_loom) {
        Daemon::first();
    }
}

/// Returns whether the alarms of `process` no longer ring, as far as is known without a system
/// call.
pub(super) fn is_left_behind(process: u32) -> bool {
    PROCESS.load(Ordering::Relaxed) != u64::from(process)
}

/// The alarms of one process. The first alarm starts the thread that rings them. The first wake-up
/// starts a second thread, which stands by.
///
/// A forked child has none of its parent's threads, and finds locks as they were at that moment.
/// Therefore the child has a daemon of its own.
struct Daemon {
    process: u32,
    queue: Arc<TimerQueue>,
    runs: Mutex<bool>,
    /// The daemon of a child that was forked from this process.
    child: OnceLock<Box<Daemon>>,
}

impl Daemon {
    fn new(process: u32) -> Self {
        Self {
            process,
            queue: Arc::new(TimerQueue::of_process(process)),
            runs: Mutex::new(false),
            child: OnceLock::new(),
        }
    }

    fn first() -> &'static Self {
        static FIRST: OnceLock<Daemon> = OnceLock::new();
        FIRST.get_or_init(|| Self::new(process::id()))
    }

    fn of_this_process() -> &'static Self {
        let process = process::id();
        let mut daemon = Self::first();
        while daemon.process != process {
            let child = || Box::new(Self::new(process));
            daemon = daemon.child.get_or_init(child);
        }
        // The number is usually stored already, and reading is cheaper than writing.
        if is_left_behind(process) {
            PROCESS.store(process.into(), Ordering::Relaxed);
        }
        daemon
    }

    /// Starts the ringing thread unless one runs, for as long as the process lives.
    fn start(&self, fast: &'static FastClock) -> io::Result<()> {
        let mut runs = self.runs.lock();
        if !*runs {
            let ringer = Ringer {
                fast,
                queue: Arc::clone(&self.queue),
                turns: Arc::new(Turns::new()),
                number: 0,
            };
            spawn(|| ringer.ring())?;
            *runs = true;
        }
        Ok(())
    }
}

fn spawn(work: impl FnOnce() + Send + 'static) -> io::Result<()> {
    let thread = thread::Builder::new().name("arcbus-timer".into());
    thread.spawn(work).map(drop)
}

/// A thread that rings alarms, or stands by in case a waker holds up the thread that rings.
#[derive(Clone)]
struct Ringer {
    fast: &'static FastClock,
    queue: Arc<TimerQueue>,
    turns: Arc<Turns>,
    number: u64,
}

impl Ringer {
    /// Rings until another thread takes the turn.
    fn ring(self) {
        let ticks = || self.fast.ticks().saturating_sub(SKEW);
        let mut has_stand_in = false;
        loop {
            while let Some(waker) = self.queue.pop_due(ticks()) {
                // If the system refuses the thread, the next alarm tries again.
                has_stand_in = has_stand_in || self.start_stand_in().is_ok();
                self.turns.begin_wake();
                waker.wake();
                if !self.turns.end_wake(self.number) {
                    return;
                }
            }
            self.queue.sleep(ticks);
        }
    }

    fn start_stand_in(&self) -> io::Result<()> {
        let ringer = self.clone();
        spawn(move || {
            let number = ringer.turns.wait_for_turn();
            Self { number, ..ringer }.ring();
        })
    }
}

/// The turn to ring, which a single thread has at a time.
struct Turns {
    turn: Mutex<Turn>,
    /// Notified when a wake begins, if the thread on standby waits for one.
    wake_begins: Condvar,
}

struct Turn {
    ringer: u64,
    is_waking: bool,
    /// Number of wakes that have begun.
    wakes: u64,
    stand_in_waits: bool,
}

impl Turns {
    fn new() -> Self {
        let turn = Turn {
            ringer: 0,
            is_waking: false,
            wakes: 0,
            stand_in_waits: false,
        };
        Self {
            turn: Mutex::new(turn),
            wake_begins: Condvar::new(),
        }
    }

    fn begin_wake(&self) {
        let mut turn = self.turn.lock();
        turn.is_waking = true;
        turn.wakes += 1;
        if std::mem::take(&mut turn.stand_in_waits) {
            self.wake_begins.notify_one();
        }
    }

    /// Returns whether the turn still belongs to the thread with this number.
    fn end_wake(&self, number: u64) -> bool {
        let mut turn = self.turn.lock();
        let is_its = turn.ringer == number;
        if is_its {
            turn.is_waking = false;
        }
        is_its
    }

    /// Takes the turn once a wake takes too long, and returns the number of this thread's turn.
    fn wait_for_turn(&self) -> u64 {
        let mut turn = self.turn.lock();
        loop {
            if !turn.is_waking {
                turn.stand_in_waits = true;
                turn = self.wake_begins.wait(turn);
                continue;
            }
            let begun = turn.wakes;
            let waited;
            (turn, waited) = self.wake_begins.wait_for(turn, PATIENCE);
            if waited.timed_out() && turn.is_waking && turn.wakes == begun {
                turn.is_waking = false;
                turn.ringer += 1;
                return turn.ringer;
            }
        }
    }
}
