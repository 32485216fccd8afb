//! The required figures of the simulation, and whether the runs meet them.

use std::fmt;
use std::time::Duration;

use super::record::{BIN, Bin, Record};
use super::runs::Runs;
use super::scenario::{BURST, FIRST_PAUSE, LONGEST_PAUSE, MINIMUM, RATIO};
use super::spectrum::{highest, spectrum};
use super::timeline::{BAD_DAY, HICCUPS, LONG_TAIL, Span, Timeline};

/// Seconds after the recovery within which nearly all callers must get replies again.
const SOON: f64 = 2.0;
/// The share of messages that counts as nearly all.
const NEARLY_ALL: f64 = 0.95;
/// Highest power that the spectrum of the calls may have, where noise has power 1. The spectrum of
/// independent calls exceeds this in one of 20,000 runs.
pub(crate) const NO_WAVE: f64 = 5.0;
/// The frequency of the first pause, in hertz. At lower frequencies, repeats follow the failed
/// calls even if jitter spreads them.
pub(crate) const LOWEST_WAVE: f64 = 1000.0 / FIRST_PAUSE.as_millis() as f64;
/// Number of bins over which the share is taken, which is half a second.
const STEADY: usize = 5;

/// A single required figure, with its bound and the measured value.
#[derive(Debug)]
pub(crate) struct Figure {
    what: String,
    found: f64,
    asked: Asked,
}

#[derive(Clone, Copy, Debug)]
enum Asked {
    AtMost(f64),
    AtLeast(f64),
}

impl Figure {
    pub(crate) fn holds(&self) -> bool {
        match self.asked {
            Asked::AtMost(bound) => self.found <= bound,
            Asked::AtLeast(bound) => self.found >= bound,
        }
    }

    fn at_most(bound: f64, found: f64, what: impl Into<String>) -> Self {
        let (what, asked) = (what.into(), Asked::AtMost(bound));
        Self { what, found, asked }
    }

    fn at_least(bound: f64, found: f64, what: impl Into<String>) -> Self {
        let (what, asked) = (what.into(), Asked::AtLeast(bound));
        Self { what, found, asked }
    }
}

impl fmt::Display for Figure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (word, bound) = match self.asked {
            Asked::AtMost(bound) => ("at most", bound),
            Asked::AtLeast(bound) => ("at least", bound),
        };
        let verdict = if self.holds() {
            "holds"
        } else {
            "DOES NOT HOLD"
        };
        write!(
            f,
            "{:<66} {:>7.3}  {word:>8} {bound:>7.3}  {verdict}",
            self.what, self.found
        )
    }
}

/// Returns all required figures, measured on `runs`.
pub(crate) fn figures(runs: &Runs) -> Vec<Figure> {
    let mut figures = amplification(runs);
    figures.extend(waves(runs));
    figures.extend(recovery(runs));
    figures.push(goodput(runs));
    figures.push(hiccups(runs));
    figures.extend(long_tail(runs));
    figures
}

/// Checks that during an outage the backend is not called more often than the budget allows.
fn amplification(runs: &Runs) -> Vec<Figure> {
    let figure = |name: &str| {
        let record = runs.of(name);
        let what = format!("{name}: calls a message in the outage");
        Figure::at_most(most_calls(record), calls_a_message(record), what)
    };
    ["retry", "breaker, retry", "preset", "preset, adaptive"]
        .map(figure)
        .into()
}

fn outage() -> Span {
    BAD_DAY.span("down").to(BAD_DAY.span("hangs"))
}

/// Returns the number of calls a message during the outage.
pub(crate) fn calls_a_message(record: &Record) -> f64 {
    record.calls_made(outage()) / record.offered(outage())
}

/// Returns the bound of the calls a message: one call for each message, and the repeats. Messages
/// that arrive one pause before the outage also pay for repeats in the outage.
pub(crate) fn most_calls(record: &Record) -> f64 {
    let outage = outage();
    let paying = Span {
        from: outage.from - LONGEST_PAUSE,
        ..outage
    };
    1.0 + paid_repeats(record, paying) / record.offered(outage)
}

/// Returns the number of repeats that the budget can pay in `span`. The sum consists of the
/// deposits of its messages, the savings from before, and the minimum of each second, which may be
/// used all at once.
fn paid_repeats(record: &Record, span: Span) -> f64 {
    let minimum = f64::from(MINIMUM) * (1.0 + span.seconds());
    RATIO * record.offered(span) + f64::from(BURST) + minimum
}

/// Checks that calls that fail together at the crash are retried spread out, and without jitter
/// together.
fn waves(runs: &Runs) -> [Figure; 3] {
    let spread = |name| {
        let what = format!("{name}: highest wave in the calls after the crash; noise is 1");
        Figure::at_most(NO_WAVE, highest_wave(runs.of(name)), what)
    };
    let what = "retry, no jitter: highest wave, which proves that waves are found";
    let in_step = Figure::at_least(NO_WAVE, highest_wave(runs.of("retry, no jitter")), what);
    [spread("retry"), spread("retry, no budget"), in_step]
}

/// Returns the highest power in the spectrum of the calls, from [`LOWEST_WAVE`] up.
pub(crate) fn highest_wave(record: &Record) -> f64 {
    let spectrum = spectrum(record.calls(BAD_DAY.span("down")));
    highest(&spectrum, LOWEST_WAVE)
}

fn recovery(runs: &Runs) -> [Figure; 4] {
    let figure = |name| {
        let found = recovered_after(runs.of(name), &BAD_DAY);
        let found = found.map_or(f64::INFINITY, |time| time.as_secs_f64());
        let what = format!("{name}: seconds after the recovery to 95 % replies");
        Figure::at_most(SOON, found, what)
    };
    ["retry", "breaker, retry", "preset", "preset, adaptive"].map(figure)
}

fn goodput(runs: &Runs) -> Figure {
    let bad = bad_time(&BAD_DAY);
    let ratio = runs.of("preset").replies(bad) / runs.of("naive retry").replies(bad);
    let what = "preset: replies after the first trouble / those of naive retry";
    Figure::at_least(2.0, ratio, what)
}

/// Checks that a retry helps against occasional failures.
fn hiccups(runs: &Runs) -> Figure {
    let span = HICCUPS.span("flaky");
    let record = runs.of("flaky, retry");
    let share = 100.0 * record.replies(span) / record.offered(span);
    Figure::at_least(
        99.9,
        share,
        "flaky, retry: replies in time, of 100 messages",
    )
}

/// Checks that a hedge replaces slow replies, with the calls that its budget pays for.
fn long_tail(runs: &Runs) -> [Figure; 2] {
    let span = LONG_TAIL.span("stumbling");
    let [alone, hedged] = ["tail", "tail, hedge"].map(|name| runs.of(name));
    let slowest = hedged.latency(span, 0.999) / alone.latency(span, 0.999);
    let calls = hedged.calls_made(span) / hedged.offered(span);
    [
        Figure::at_most(0.6, slowest, "tail, hedge: p99.9, of that without"),
        Figure::at_most(
            1.0 + paid_repeats(hedged, span) / hedged.offered(span),
            calls,
            "tail, hedge: calls a message; one and the budget",
        ),
    ]
}

/// Returns the time from the first trouble to the end, which includes losses after the recovery.
pub(crate) fn bad_time(timeline: &Timeline) -> Span {
    timeline.span("slow").to(timeline.span("recovered"))
}

/// Returns the time after the recovery until nearly all messages get replies, and continue to do
/// so.
pub(crate) fn recovered_after(record: &Record, timeline: &Timeline) -> Option<Duration> {
    let span = timeline.span("recovered");
    let bins = record.bins_of(span);
    let served = |bins: &[Bin]| {
        let offered: u32 = bins.iter().map(|bin| bin.offered).sum();
        let replies: usize = bins.iter().map(|bin| bin.replies.len()).sum();
        replies as f64 >= NEARLY_ALL * f64::from(offered)
    };
    let well = bins.windows(STEADY).rev().take_while(|bins| served(bins));
    let well = well.count();
    let windows = bins.len() + 1 - STEADY;
    (well > 0).then(|| BIN * (windows - well) as u32)
}
