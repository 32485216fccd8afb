//! Every dispatch is answered by a handler that was registered at some moment of the call.
//!
//! Readers note the start and end of each dispatch and the version that replied, and the writer
//! notes the start and end of each swap. [`check`] compares the two afterwards: a version is live
//! from the start of the swap that installs it to the end of the swap that replaces it.

use std::pin::pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::Instant;

use arcbus::{Bus, Context, Handler, LocalBus, Message, Query, QueryBus, Registrar, Route};

/// A span of time, in nanoseconds since the start of the run.
#[derive(Clone, Copy, Debug)]
struct Span {
    start: u64,
    end: u64,
}

/// A dispatch and the version that replied, where version 0 is the initial one.
#[derive(Clone, Copy, Debug)]
struct Answer {
    span: Span,
    version: u32,
}

/// A reply by a version that was not live at any moment of the call.
#[derive(Debug, PartialEq)]
struct Stale {
    reader: usize,
    dispatch: usize,
    version: u32,
}

/// Checks the replies to the readers, where `swaps[i]` installs version `i + 1`.
fn check(swaps: &[Span], readers: &[Vec<Answer>]) -> Result<(), Stale> {
    for (reader, answers) in readers.iter().enumerate() {
        for (dispatch, answer) in answers.iter().enumerate() {
            if !is_live(swaps, answer) {
                return Err(Stale {
                    reader,
                    dispatch,
                    version: answer.version,
                });
            }
        }
    }
    Ok(())
}

fn is_live(swaps: &[Span], answer: &Answer) -> bool {
    let version = answer.version as usize;
    if version > swaps.len() {
        return false;
    }
    let live_from = version.checked_sub(1).map_or(0, |swap| swaps[swap].start);
    let live_to = swaps.get(version).map_or(u64::MAX, |swap| swap.end);
    live_from <= answer.span.end && answer.span.start <= live_to
}

/// Returns the part of the swaps during which some dispatch ran. Each reader's replies are in
/// order.
fn overlapped(swaps: &[Span], readers: &[Vec<Answer>]) -> f64 {
    let hit = swaps.iter().filter(|swap| {
        readers.iter().any(|answers| {
            let first = answers.partition_point(|answer| answer.span.end < swap.start);
            answers
                .get(first)
                .is_some_and(|answer| answer.span.start <= swap.end)
        })
    });
    hit.count() as f64 / swaps.len() as f64
}

#[derive(Clone, Copy)]
struct Which;

impl Message for Which {
    const NAME: &'static str = "which";
    type Kind = Query;
    type Reply = u32;
    type Error = String;
}

struct Version(u32);

impl Handler<Which> for Version {
    async fn handle(&self, _msg: Which, _cx: &Context<'_>) -> Result<u32, String> {
        Ok(self.0)
    }
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler is ready at once"),
    }
}

/// The handle of a reader, with a way to dispatch through it.
trait Asks: Send {
    /// Returns the version that replies to the `turn`th dispatch.
    fn ask(&mut self, turn: usize) -> u32;
}

/// All handles of one bus, used in turn in both lanes.
struct Handles {
    bus: Bus<Query>,
    local: LocalBus<Query>,
    route: Route<Which>,
}

impl Handles {
    fn of(bus: &QueryBus) -> Self {
        Self {
            bus: bus.clone(),
            local: bus.local(),
            route: bus.route().expect("registered"),
        }
    }
}

impl Asks for Handles {
    fn ask(&mut self, turn: usize) -> u32 {
        let answer = match turn % 6 {
            0 => self.bus.execute_blocking(Which),
            1 => self.local.execute_blocking(Which),
            2 => self.route.execute_blocking(Which),
            3 => ready(self.bus.execute(Which)),
            4 => ready(self.local.execute(Which)),
            _ => ready(self.route.execute(Which)),
        };
        answer.expect("registered throughout")
    }
}

/// A faulty reader, which looks up the version once, and again only now and then.
struct Forgetful {
    handles: Handles,
    seen: u32,
}

impl Asks for Forgetful {
    fn ask(&mut self, turn: usize) -> u32 {
        if turn.is_multiple_of(1000) {
            self.seen = self.handles.ask(turn);
        }
        self.seen
    }
}

struct Plan {
    /// Least number of dispatches of all readers together.
    dispatches: usize,
    swaps: u32,
}

struct Record {
    swaps: Vec<Span>,
    readers: Vec<Vec<Answer>>,
}

impl Record {
    fn dispatches(&self) -> usize {
        self.readers.iter().map(Vec::len).sum()
    }
}

/// Runs two readers of `bus` beside a writer, which replaces the handler `plan.swaps` times over
/// the whole run.
fn run(
    plan: &Plan,
    bus: &QueryBus,
    registrar: &Registrar<Query, arcbus::NoLayers>,
    mut readers: [impl Asks; 2],
) -> Record {
    let begun = Instant::now();
    let now = || u64::try_from(begun.elapsed().as_nanos()).expect("a short run");
    let each = plan.dispatches / readers.len();
    let done = [AtomicUsize::new(0), AtomicUsize::new(0)];
    let swapped = AtomicU32::new(0);
    let read = |reader: &mut dyn Asks, done: &AtomicUsize| {
        let mut answers = Vec::with_capacity(each * 2);
        for turn in 0.. {
            // A reader goes on until after the last swap, so that every swap can meet a dispatch.
            let last = turn >= each && swapped.load(Ordering::Acquire) == plan.swaps;
            let start = now();
            let version = reader.ask(turn);
            let end = now();
            answers.push(Answer {
                span: Span { start, end },
                version,
            });
            done.store(turn, Ordering::Relaxed);
            if last {
                break;
            }
        }
        answers
    };
    let write = || {
        let mut swaps = Vec::with_capacity(plan.swaps as usize);
        for version in 1..=plan.swaps {
            let due = each as u64 * u64::from(version) / (u64::from(plan.swaps) + 1);
            while done
                .iter()
                .any(|done| (done.load(Ordering::Relaxed) as u64) < due)
            {
                thread::yield_now();
            }
            let start = now();
            let retired = registrar.replace::<Which, _>(Version(version));
            let end = now();
            drop(retired.expect("registered"));
            swaps.push(Span { start, end });
            swapped.store(version, Ordering::Release);
        }
        swaps
    };
    let record = thread::scope(|scope| {
        let readers: Vec<_> = readers
            .iter_mut()
            .zip(&done)
            .map(|(reader, done)| scope.spawn(move || read(reader, done)))
            .collect();
        let swaps = write();
        let readers = readers
            .into_iter()
            .map(|reader| reader.join().expect("a reader"))
            .collect();
        Record { swaps, readers }
    });
    assert_eq!(bus.execute_blocking(Which), Ok(plan.swaps));
    record
}

fn open() -> (QueryBus, Registrar<Query, arcbus::NoLayers>) {
    QueryBus::builder()
        .register::<Which, _>(Version(0))
        .open()
        .expect("one handler")
}

fn run_handles(plan: &Plan) -> Record {
    let (bus, registrar) = open();
    let readers = [Handles::of(&bus), Handles::of(&bus)];
    let record = run(plan, &bus, &registrar, readers);
    assert!(record.dispatches() >= plan.dispatches);
    assert_eq!(record.swaps.len(), plan.swaps as usize);
    record
}

#[test]
fn no_reader_gets_a_reply_of_a_replaced_version() {
    // Fewer dispatches under a sanitizer, which makes each many times as slow.
    let part = if cfg!(arcbus_asan) { 10 } else { 1 };
    let record = run_handles(&Plan {
        dispatches: 2_000_000 / part,
        swaps: 5_000 / part as u32,
    });
    assert_eq!(check(&record.swaps, &record.readers), Ok(()));
    let met = overlapped(&record.swaps, &record.readers);
    assert!(met > 0.0, "no swap met a dispatch: nothing was tested");
}

#[test]
#[ignore = "ten million dispatches: run in release"]
fn ten_million_dispatches_over_ten_thousand_swaps() {
    let record = run_handles(&Plan {
        dispatches: 10_000_000,
        swaps: 10_000,
    });
    assert_eq!(check(&record.swaps, &record.readers), Ok(()));
    let met = overlapped(&record.swaps, &record.readers);
    println!(
        "{} dispatches, {} swaps, none stale; {:.2} % of the swaps overlapped by a dispatch",
        record.dispatches(),
        record.swaps.len(),
        met * 100.0,
    );
    assert!(met >= 0.9, "only {met} of the swaps met a dispatch");
}

#[test]
fn a_reader_with_a_stale_copy_is_detected() {
    let plan = Plan {
        dispatches: 100_000,
        swaps: 1_000,
    };
    let (bus, registrar) = open();
    let readers = [(); 2].map(|()| Forgetful {
        handles: Handles::of(&bus),
        seen: 0,
    });
    let record = run(&plan, &bus, &registrar, readers);
    assert!(check(&record.swaps, &record.readers).is_err());
}

#[test]
fn a_planted_stale_answer_is_detected_in_a_real_record() {
    let mut record = run_handles(&Plan {
        dispatches: 20_000,
        swaps: 200,
    });
    assert_eq!(check(&record.swaps, &record.readers), Ok(()));
    let last = record.readers[1].len() - 1;
    record.readers[1][last].version = 150;
    assert_eq!(
        check(&record.swaps, &record.readers),
        Err(Stale {
            reader: 1,
            dispatch: last,
            version: 150,
        })
    );
}

mod the_checker {
    use super::*;

    const SWAPS: [Span; 2] = [Span { start: 10, end: 20 }, Span { start: 30, end: 40 }];

    fn verdict(start: u64, end: u64, version: u32) -> bool {
        let span = Span { start, end };
        check(&SWAPS, &[vec![Answer { span, version }]]).is_ok()
    }

    #[test]
    fn the_check_accepts_the_live_version() {
        assert!(verdict(0, 5, 0));
        assert!(verdict(22, 25, 1));
        assert!(verdict(50, 60, 2));
    }

    #[test]
    fn the_check_accepts_either_version_during_a_swap() {
        assert!(verdict(12, 18, 0));
        assert!(verdict(12, 18, 1));
    }

    #[test]
    fn the_check_accepts_a_version_live_at_any_moment_of_a_call() {
        for version in 0..=2 {
            assert!(verdict(0, 100, version));
        }
    }

    #[test]
    fn a_version_is_live_from_its_installing_to_its_replacing_swap() {
        assert!(verdict(0, 10, 1));
        assert!(!verdict(0, 9, 1));
        assert!(verdict(40, 50, 1));
        assert!(!verdict(41, 50, 1));
    }

    #[test]
    fn the_check_refuses_a_replaced_version() {
        assert!(!verdict(21, 25, 0));
        assert!(!verdict(50, 60, 1));
    }

    #[test]
    fn the_check_refuses_a_version_from_the_future() {
        assert!(!verdict(0, 5, 1));
        assert!(!verdict(22, 25, 2));
        assert!(!verdict(50, 60, 3));
    }

    #[test]
    fn the_check_names_the_stale_answer() {
        let fresh = Answer {
            span: Span { start: 22, end: 25 },
            version: 1,
        };
        let stale = Answer {
            version: 0,
            ..fresh
        };
        let readers = [vec![fresh; 3], vec![fresh, fresh, stale, fresh]];
        assert_eq!(
            check(&SWAPS, &readers),
            Err(Stale {
                reader: 1,
                dispatch: 2,
                version: 0,
            })
        );
    }

    #[test]
    fn the_check_counts_the_swaps_that_a_dispatch_overlaps() {
        let answer = |start, end| Answer {
            span: Span { start, end },
            version: 0,
        };
        let part = |answers: &[Answer]| overlapped(&SWAPS, &[answers.to_vec()]);
        assert_eq!(part(&[answer(0, 9), answer(21, 29), answer(41, 50)]), 0.0);
        assert_eq!(part(&[answer(0, 9), answer(20, 21)]), 0.5);
        assert_eq!(part(&[answer(9, 11), answer(39, 50)]), 1.0);
        assert_eq!(part(&[answer(0, 100)]), 1.0);
    }
}
