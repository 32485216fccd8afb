//! Handlers change while four threads dispatch, and no message is lost.
//!
//! ```text
//! cargo run --release -p arcbus-examples --bin hot_swap -- 100
//! ```
//!
//! Each thread dispatches through a different handle: the shared bus, a local bus, a route, and the
//! async lane, where some dispatches are pending while their handler is replaced. Meanwhile the
//! handler is replaced 100 times, and every tenth time it is deregistered first. At the end the
//! counts must agree:
//!
//! - Every message was answered by one version of the handler, or found no handler.
//! - The number of replies that each version counted is the number that its callers received.
//! - Every version that was replaced has been dropped.

use std::error::Error;
use std::fmt;
use std::future::poll_fn;
use std::pin::pin;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::thread::{self, Thread};
use std::time::Duration;

use arcbus::{Context, Dispatch, Handler, Message, NoLayers, Outcome, Query, QueryBus};
use arcbus::{Registrar, RegistrationError};

/// Number of swaps from one deregistration of the handler to the next.
const GAP: usize = 10;
/// Shortest time for which each version of the handler stays registered.
const MOMENT: Duration = Duration::from_millis(1);
/// In the async lane, one message in this many waits in its handler before the reply.
const WAITS: u64 = 64;

/// Asks for the number of the registered version of the handler.
struct WhichVersion {
    /// True if the handler has to wait once before it replies.
    wait: bool,
}

impl Message for WhichVersion {
    const NAME: &'static str = "version.which";
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

/// Counts that all versions of the handler share, so that none is lost when a version is dropped.
struct Ledger {
    /// Number of messages that each version of the handler answered.
    answered: Vec<AtomicU64>,
    dropped: AtomicU64,
}

impl Ledger {
    fn new(versions: usize) -> Arc<Self> {
        Arc::new(Self {
            answered: (0..versions).map(|_| AtomicU64::new(0)).collect(),
            dropped: AtomicU64::new(0),
        })
    }
}

/// A version of the handler, which replies with its number and counts its replies.
struct Version {
    number: usize,
    ledger: Arc<Ledger>,
}

impl Handler<WhichVersion> for Version {
    async fn handle(&self, msg: WhichVersion, _cx: &Context<'_>) -> Result<usize, String> {
        if msg.wait {
            yield_once().await;
        }
        self.ledger.answered[self.number].fetch_add(1, Relaxed);
        Ok(self.number)
    }
}

impl Drop for Version {
    fn drop(&mut self) {
        self.ledger.dropped.fetch_add(1, Relaxed);
    }
}

/// Returns `Pending` once, and wakes the task at once.
async fn yield_once() {
    let mut yielded = false;
    poll_fn(|task| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

/// Runs a future on this thread, where a real program would use a runtime.
fn block_on<T>(future: impl Future<Output = T>) -> T {
    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    let waker = Waker::from(Arc::new(Unpark(thread::current())));
    let mut future = pin!(future);
    loop {
        match future.as_mut().poll(&mut Task::from_waker(&waker)) {
            Poll::Ready(output) => return output,
            Poll::Pending => thread::park(),
        }
    }
}

/// Counts of the messages that one thread sent, by their outcome.
#[derive(Clone, Debug, Default)]
struct Tally {
    dispatched: u64,
    /// Number of replies from each version of the handler.
    answered: Vec<u64>,
    not_found: u64,
    failed: u64,
}

impl Tally {
    fn new(versions: usize) -> Self {
        Self {
            answered: vec![0; versions],
            ..Self::default()
        }
    }

    fn record(&mut self, outcome: &Outcome<WhichVersion>) {
        match outcome {
            Ok(version) => self.answered[*version] += 1,
            Err(error) if error.is_handler_not_found() => self.not_found += 1,
            Err(_) => self.failed += 1,
        }
    }

    fn replies(&self) -> u64 {
        self.answered.iter().sum()
    }

    fn add(&mut self, other: &Self) {
        self.dispatched += other.dispatched;
        self.not_found += other.not_found;
        self.failed += other.failed;
        let pairs = self.answered.iter_mut().zip(&other.answered);
        pairs.for_each(|(sum, count)| *sum += count);
    }
}

/// Dispatches messages through any handle until `stop` is set.
fn drive(mut handle: impl Dispatch<WhichVersion>, versions: usize, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::new(versions);
    while !stop.load(Relaxed) {
        tally.dispatched += 1;
        let outcome = handle.execute_blocking(WhichVersion { wait: false });
        tally.record(&outcome);
    }
    tally
}

/// Dispatches messages in the async lane, where some of the handlers wait, until `stop` is set.
async fn drive_async(bus: &QueryBus, versions: usize, stop: &AtomicBool) -> Tally {
    let mut tally = Tally::new(versions);
    while !stop.load(Relaxed) {
        tally.dispatched += 1;
        let wait = tally.dispatched.is_multiple_of(WAITS);
        let outcome = bus.execute(WhichVersion { wait }).await;
        tally.record(&outcome);
    }
    tally
}

/// Replaces the handler by every version from 1 up, and waits each time until the old version is
/// gone. If both must not exist at one time, waits before the new version is registered.
fn swap_all(
    registrar: &Registrar<Query, NoLayers>,
    ledger: &Arc<Ledger>,
) -> Result<(), RegistrationError> {
    for number in 1..ledger.answered.len() {
        let ledger = Arc::clone(ledger);
        let version = Version { number, ledger };
        if number % GAP == 0 {
            registrar.deregister::<WhichVersion>()?.wait();
            registrar.register(version)?;
        } else {
            registrar.replace(version)?.wait();
        }
        thread::sleep(MOMENT);
    }
    Ok(())
}

/// All counts after a run of the program, from which the final check is made.
struct Books {
    threads: Vec<(&'static str, Tally)>,
    ledger: Arc<Ledger>,
    /// Number of versions that were dropped while the last version was still registered.
    dropped: u64,
}

/// Runs four threads that dispatch while the handler is replaced `swaps` times.
fn run(swaps: u16) -> Result<Books, Box<dyn Error>> {
    let ledger = Ledger::new(usize::from(swaps) + 1);
    let first = Version {
        number: 0,
        ledger: Arc::clone(&ledger),
    };
    let (bus, registrar) = QueryBus::builder().register(first).open()?;
    let threads = dispatch_while(&bus, ledger.answered.len(), || {
        swap_all(&registrar, &ledger)
    })?;
    Ok(Books {
        threads,
        dropped: ledger.dropped.load(Relaxed),
        ledger,
    })
}

/// Runs four threads that dispatch until `swapping` has returned.
fn dispatch_while(
    bus: &QueryBus,
    versions: usize,
    swapping: impl FnOnce() -> Result<(), RegistrationError>,
) -> Result<Vec<(&'static str, Tally)>, Box<dyn Error>> {
    let stop = &AtomicBool::new(false);
    let route = bus.route::<WhichVersion>()?;
    thread::scope(|scope| {
        let threads = [
            ("bus", scope.spawn(move || drive(bus, versions, stop))),
            (
                "local bus",
                scope.spawn(move || drive(bus.local(), versions, stop)),
            ),
            ("route", scope.spawn(move || drive(route, versions, stop))),
            (
                "await lane",
                scope.spawn(move || block_on(drive_async(bus, versions, stop))),
            ),
        ];
        let swapped = swapping();
        stop.store(true, Relaxed);
        let tallies = threads.map(|(name, thread)| thread.join().map(|tally| (name, tally)));
        swapped?;
        let tallies: Result<_, _> = tallies.into_iter().collect();
        tallies.map_err(|_| "a dispatching thread panicked".into())
    })
}

impl Books {
    fn total(&self) -> Tally {
        let mut total = Tally::new(self.ledger.answered.len());
        self.threads.iter().for_each(|(_, tally)| total.add(tally));
        total
    }

    /// Returns a line of text for each pair of counts that disagree.
    fn mistakes(&self) -> Vec<String> {
        let total = self.total();
        let mut mistakes = Vec::new();
        if total.dispatched != total.replies() + total.not_found {
            mistakes.push("messages were lost, answered twice or failed".into());
        }
        for (version, said) in self.ledger.answered.iter().enumerate() {
            if said.load(Relaxed) != total.answered[version] {
                mistakes.push(format!("version {version} and its callers disagree"));
            }
        }
        if self.dropped != self.swaps() {
            mistakes.push("not every version that was taken out was dropped".into());
        }
        mistakes
    }

    fn swaps(&self) -> u64 {
        self.ledger.answered.len() as u64 - 1
    }
}

impl fmt::Display for Books {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let total = self.total();
        writeln!(
            f,
            "{:<12}{:>13}{:>13}{:>12}{:>10}",
            "handle", "dispatched", "answered", "not found", "versions"
        )?;
        for (name, tally) in &self.threads {
            write_row(f, name, tally)?;
        }
        write_row(f, "total", &total)?;
        writeln!(
            f,
            "\n{} swaps, {} old handlers dropped",
            self.swaps(),
            self.dropped
        )?;
        let (sent, replies, missed) = (total.dispatched, total.replies(), total.not_found);
        writeln!(
            f,
            "{sent} dispatched = {replies} answered + {missed} not found"
        )
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, tally: &Tally) -> fmt::Result {
    let versions = tally.answered.iter().filter(|count| **count > 0).count();
    let (sent, replies, missed) = (tally.dispatched, tally.replies(), tally.not_found);
    writeln!(
        f,
        "{name:<12}{sent:>13}{replies:>13}{missed:>12}{versions:>10}"
    )
}

fn main() -> Result<ExitCode, Box<dyn Error>> {
    let swaps = match std::env::args().nth(1) {
        Some(swaps) => swaps
            .parse()
            .map_err(|_| "usage: hot_swap [SWAPS], up to 65535")?,
        None => 100,
    };
    let books = run(swaps)?;
    print!("{books}");
    let mistakes = books.mistakes();
    mistakes
        .iter()
        .for_each(|mistake| eprintln!("mismatch: {mistake}"));
    Ok(ExitCode::from(u8::from(!mistakes.is_empty())))
}

#[test]
fn the_books_add_up() {
    let books = run(25).unwrap();
    assert_eq!(books.mistakes(), Vec::<String>::new());
    assert_eq!(books.threads.len(), 4);
    let total = books.total();
    assert_eq!(total.dispatched, total.replies() + total.not_found);
    assert_eq!(total.failed, 0);
    assert!(total.replies() > 0);
}
