//! Tests that the policies keep their promises, and that the figures could fail to.

use std::cell::RefCell;
use std::ffi::OsString;
use std::fs;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use arcbus::{Context, FakeClock, QueryBus};

use super::backend::{Backend, GetQuote, SERVERS};
use super::executor::Tasks;
use super::figures::{
    NO_WAVE, calls_a_message, figures, highest_wave, most_calls, recovered_after,
};
use super::options::{Action, parse};
use super::random::Random;
use super::record::Record;
use super::runs::Runs;
use super::scenario::{SCENARIOS, Scenario};
use super::spectrum::{highest, spectrum};
use super::svg::definition;
use super::timeline::{BAD_DAY, Health, Pace};
use super::world;

/// The scenarios that have required figures.
const JUDGED: &[&str] = &[
    "naive retry",
    "retry",
    "retry, no budget",
    "retry, no jitter",
    "breaker, retry",
    "preset",
    "preset, adaptive",
    "flaky, retry",
    "tail",
    "tail, hedge",
];

fn find(name: &str) -> &'static Scenario {
    let found = SCENARIOS.iter().find(|scenario| scenario.name == name);
    found.unwrap_or_else(|| panic!("there is no scenario '{name}'"))
}

fn run(name: &str, seed: u64) -> Record {
    world::run(find(name), seed).unwrap()
}

#[track_caller]
fn assert_figures(seed: u64) {
    let figures = figures(&Runs::of_scenarios(JUDGED.iter().map(|name| find(name)), seed).unwrap());
    let failed: Vec<_> = figures.iter().filter(|figure| !figure.holds()).collect();
    assert!(figures.len() > 10 && failed.is_empty(), "{failed:#?}");
}

#[test]
fn every_figure_is_what_is_asked() {
    assert_figures(1);
}

#[test]
fn every_figure_is_what_is_asked_on_another_course() {
    assert_figures(2);
}

/// Checks figures that a naive retry does not meet, so that they can tell the policies apart.
#[test]
fn a_naive_retry_multiplies_the_calls_and_never_recovers() {
    let naive = run("naive retry", 1);
    assert!(calls_a_message(&naive) > 2.0 * most_calls(&naive));
    assert_eq!(recovered_after(&naive, &BAD_DAY), None);
    // The calls of the naive retry keep the backend down, which recovers without them.
    let alone = recovered_after(&run("timeout", 1), &BAD_DAY).unwrap();
    assert!(alone < Duration::from_secs(2), "{alone:?}");
}

#[test]
fn repeats_without_a_budget_multiply_the_calls() {
    let record = run("retry, no budget", 1);
    assert!(calls_a_message(&record) > 2.0 * most_calls(&record));
}

#[test]
fn a_service_recovers_with_its_backend() {
    for name in [
        "breaker",
        "bulkhead",
        "preset",
        "preset, adaptive",
        "preset, stale",
    ] {
        let after = recovered_after(&run(name, 2), &BAD_DAY);
        assert!(
            after.is_some_and(|time| time.as_secs() < 2),
            "{name}: {after:?}"
        );
    }
}

#[test]
fn repeats_without_jitter_come_in_waves() {
    assert!(highest_wave(&run("retry, no jitter", 3)) > NO_WAVE);
    assert!(highest_wave(&run("retry, no budget", 3)) < NO_WAVE);
}

#[test]
fn the_same_seed_gives_the_same_record() {
    let seen = |seed| format!("{:?}", run("preset", seed));
    let first = seen(7);
    assert!(first == seen(7));
    assert!(first != seen(8));
}

#[test]
fn every_message_ends_once() {
    for name in ["none", "naive retry", "preset", "preset, stale", "hedge"] {
        let record = run(name, 1);
        let whole = BAD_DAY.span("well").to(BAD_DAY.span("recovered"));
        let bins = record.bins_of(whole);
        assert!(bins.iter().all(|bin| bin.offered > 0));
        for bin in bins {
            let errors: u32 = bin.errors.values().sum();
            assert_eq!(bin.offered, bin.replies.len() as u32 + errors, "{name}");
        }
    }
}

const WELL: Health = Health::Works(Pace {
    slower: 1.0,
    stumbles: 0.0,
    fails: 0.0,
});

/// Returns a backend behind a bare bus, with callers that have started their calls.
fn called(health: Health, calls: usize) -> (Backend, Tasks, Rc<RefCell<Vec<bool>>>) {
    let backend = Backend::new(health, Random::new(1));
    let bus = QueryBus::builder()
        .clock(FakeClock::new())
        .register(backend.clone())
        .build()
        .unwrap();
    let (mut tasks, ends) = (Tasks::default(), Rc::new(RefCell::new(Vec::new())));
    for key in 0..calls as u32 {
        let (bus, ends) = (bus.clone(), ends.clone());
        tasks.spawn(async move {
            let outcome = bus.execute(GetQuote { key }).await;
            ends.borrow_mut().push(outcome.is_ok());
        });
    }
    tasks.run();
    (backend, tasks, ends)
}

#[test]
fn the_backend_serves_what_it_can_and_queues_the_rest() {
    let (backend, mut tasks, ends) = called(WELL, 10 * SERVERS);
    let mut now = Duration::ZERO;
    while let Some(end) = backend.next_end() {
        assert!(end >= now);
        now = end;
        backend.advance(now);
        tasks.run();
    }
    assert_eq!(*ends.borrow(), vec![true; 10 * SERVERS]);
    // Ten rounds of 10 ms each.
    assert!((80..130).contains(&now.as_millis()), "{now:?}");
}

#[test]
fn the_backend_does_what_its_callers_gave_up() {
    let (backend, tasks, ends) = called(WELL, 10 * SERVERS);
    drop(tasks);
    let mut served = 0;
    while let Some(end) = backend.next_end() {
        backend.advance(end);
        served += 1;
    }
    assert_eq!((served, ends.borrow().len()), (10 * SERVERS, 0));
}

#[test]
fn a_crash_fails_what_the_backend_had_taken_in_and_what_comes() {
    let (backend, mut tasks, ends) = called(WELL, 10 * SERVERS);
    backend.set_health(Health::Fails);
    tasks.run();
    assert_eq!(*ends.borrow(), vec![false; 10 * SERVERS]);
    assert_eq!(backend.next_end(), None);
    let (_, _, ends) = called(Health::Fails, 3);
    assert_eq!(*ends.borrow(), [false; 3]);
}

#[test]
fn a_backend_that_hangs_begins_nothing_until_it_works() {
    let (backend, mut tasks, ends) = called(Health::Hangs, 1005);
    assert_eq!(*ends.borrow(), [false; 5], "its queue is full");
    assert_eq!(backend.next_end(), None);
    backend.set_health(WELL);
    while let Some(end) = backend.next_end() {
        backend.advance(end);
        tasks.run();
    }
    assert_eq!(ends.borrow().iter().filter(|ok| **ok).count(), 1000);
}

#[test]
fn tasks_are_polled_once_for_each_time_they_are_woken() {
    let (mut tasks, polls) = (Tasks::default(), Rc::new(RefCell::new(0)));
    let count = polls.clone();
    tasks.spawn(std::future::poll_fn(move |task| {
        *count.borrow_mut() += 1;
        if *count.borrow() == 3 {
            return Poll::Ready(());
        }
        // Waking twice must count as once.
        task.waker().wake_by_ref();
        task.waker().wake_by_ref();
        Poll::Pending
    }));
    tasks.run();
    assert_eq!(*polls.borrow(), 3);
}

/// Time jumps to the first alarm, regardless of the order in which alarms were set.
#[test]
fn a_clock_tells_the_first_alarm_of_those_who_wait() {
    let clock = FakeClock::new();
    let backend = Backend::new(Health::Hangs, Random::new(1));
    let builder = QueryBus::builder().clock(clock.clone());
    let bus = builder.register(backend).build().unwrap();
    let (mut tasks, ends) = (Tasks::default(), Rc::new(RefCell::new(Vec::new())));
    for millis in [30, 20, 40] {
        let (bus, ends) = (bus.clone(), ends.clone());
        tasks.spawn(async move {
            let cx = Context::new().timeout(Duration::from_millis(millis));
            let _ = bus.execute_with(GetQuote { key: 1 }, cx).await;
            ends.borrow_mut().push(millis);
        });
    }
    tasks.run();
    for (jump, ended) in [(20, &[20][..]), (10, &[20, 30]), (10, &[20, 30, 40])] {
        assert_eq!(clock.next_alarm(), Some(Duration::from_millis(jump)));
        clock.advance(Duration::from_millis(jump));
        tasks.run();
        assert_eq!(*ends.borrow(), ended);
    }
    assert_eq!(clock.next_alarm(), None);
}

/// Returns counts of independent calls, about `mean` in each bin.
fn noise(mean: f64, seed: u64) -> Vec<u32> {
    let mut random = Random::new(seed);
    let mut counts = vec![0; 400];
    let mut at = random.gap(mean).as_secs_f64();
    while at < 400.0 {
        counts[at as usize] += 1;
        at += random.gap(mean).as_secs_f64();
    }
    counts
}

#[test]
fn the_spectrum_of_noise_is_one() {
    for mean in [3.0, 14.0, 60.0] {
        let spectrum = spectrum(&noise(mean, 1));
        let sum: f64 = spectrum.iter().map(|(_, power)| power).sum();
        let mean = sum / spectrum.len() as f64;
        assert!((0.8..1.2).contains(&mean), "{mean}");
        assert!(highest(&spectrum, 10.0) < NO_WAVE);
    }
}

#[test]
fn noise_is_seldom_taken_for_a_wave() {
    let taken = (0..200).filter(|seed| highest(&spectrum(&noise(14.0, *seed)), 10.0) > NO_WAVE);
    assert_eq!(taken.count(), 0);
}

#[test]
fn a_wave_is_seen_at_its_frequency() {
    let mut counts = noise(14.0, 1);
    counts.iter_mut().step_by(5).for_each(|count| *count += 8);
    let spectrum = spectrum(&counts);
    let by_power = |one: &&(f64, f64), other: &&(f64, f64)| one.1.total_cmp(&other.1);
    let (frequency, power) = spectrum.iter().max_by(by_power).unwrap();
    assert!(*power > 2.0 * NO_WAVE, "{power}");
    let of_twenty_hertz = frequency % 20.0;
    assert!(!(1.0..19.0).contains(&of_twenty_hertz), "{frequency}");
}

fn docs(name: &str) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "../src/docs", name]
        .iter()
        .collect()
}

const PLOTS: [&str; 5] = ["goodput", "calls", "waves", "spectrum", "tail"];

#[test]
fn the_page_embeds_the_plots_beside_it() {
    let svg = |name: &str| fs::read_to_string(docs("plots").join(format!("{name}.svg"))).unwrap();
    let definitions: String = PLOTS
        .iter()
        .map(|name| definition(name, &svg(name)))
        .collect();
    let embedded = fs::read_to_string(docs("plots/embedded.md")).unwrap();
    assert!(embedded == definitions, "run the example simulation again");
    let page = fs::read_to_string(docs("simulation.md")).unwrap();
    for name in PLOTS {
        assert!(page.contains(&format!("][{name}]")), "{name}");
        assert!(
            page.contains(&format!("\n[{name}]: plots/{name}.svg")),
            "{name}"
        );
        assert!(svg(name).len() < 40_000, "{name}");
    }
}

fn program(args: &[&str]) -> (u8, String, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let args = args.iter().map(OsString::from);
    let code = super::run(args, &mut out, &mut err);
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (code, text(out), text(err))
}

#[test]
fn options_are_read() {
    let seven = Action::Run {
        seed: 7,
        out: Some("there".into()),
    };
    let args = ["--seed", "7", "--out", "there"].map(OsString::from);
    assert_eq!(parse(args), Ok(seven));
    assert_eq!(parse([]), Ok(Action::Run { seed: 1, out: None }));
}

#[test]
fn wrong_options_are_refused() {
    let errors = [
        (&["--seed"][..], "simulation: --seed needs a number\n"),
        (&["--seed", "x"], "simulation: 'x' is no number\n"),
        (&["--out"], "simulation: --out needs a DIR\n"),
        (&["plots"], "simulation: unknown option 'plots'\n"),
    ];
    for (args, expected) in errors {
        let (code, out, err) = program(args);
        assert_eq!((code, &*out, &*err), (2, "", expected));
    }
    let (code, out, _) = program(&["--help"]);
    assert!(code == 0 && out.starts_with("Usage: simulation"));
}
