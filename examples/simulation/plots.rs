//! The plots of the page on the simulation, drawn from the records of the runs.

use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

use super::backend::CALLS_BIN;
use super::figures::{LOWEST_WAVE, NO_WAVE};
use super::record::{BIN, Bin, Record};
use super::runs::Runs;
use super::spectrum::spectrum;
use super::svg::{Axis, Line, Plot, definition};
use super::timeline::{BAD_DAY, LONG_TAIL, Span};

/// Number of bins that make a point of a line.
const AVERAGED: usize = 2;

pub(crate) fn plots(runs: &Runs) -> Vec<Plot> {
    vec![
        goodput(runs),
        calls(runs),
        waves(runs),
        frequencies(runs),
        tail(runs),
    ]
}

/// Writes the plots to `folder`, and a file of link definitions by which a page embeds the plots.
///
/// # Errors
///
/// Returns the error of the file system if a file cannot be written.
pub(crate) fn write(plots: &[Plot], folder: &Path) -> io::Result<()> {
    fs::create_dir_all(folder)?;
    let mut definitions = String::new();
    for plot in plots {
        let svg = plot.svg();
        definitions += &definition(plot.file, &svg);
        fs::write(folder.join(format!("{}.svg", plot.file)), svg)?;
    }
    fs::write(folder.join("embedded.md"), definitions)
}

fn whole_day() -> Span {
    BAD_DAY.span("well").to(BAD_DAY.span("recovered"))
}

fn parts_of_the_day() -> Vec<(f64, f64, &'static str)> {
    let parts = BAD_DAY.phases.iter().map(|phase| {
        let span = BAD_DAY.span(phase.name);
        (
            span.from.as_secs_f64(),
            span.until.as_secs_f64(),
            phase.name,
        )
    });
    parts.collect()
}

fn over_the_day(of: impl Fn(&[Bin], usize) -> f64, record: &Record) -> Vec<(f64, f64)> {
    let bins = record.bins_of(whole_day());
    let point = |(at, bins): (usize, &[Bin])| {
        let seconds = BIN.as_secs_f64() * AVERAGED as f64;
        (at as f64 * seconds, of(bins, at * AVERAGED))
    };
    bins.chunks(AVERAGED).enumerate().map(point).collect()
}

fn lines(names: &[&str], runs: &Runs, points: impl Fn(&Record) -> Vec<(f64, f64)>) -> Vec<Line> {
    let line = |name: &&str| Line {
        name: (*name).to_owned(),
        points: points(runs.of(name)),
    };
    names.iter().map(line).collect()
}

fn served(bins: &[Bin], _: usize) -> f64 {
    let offered: u32 = bins.iter().map(|bin| bin.offered).sum();
    let replies: usize = bins.iter().map(|bin| bin.replies.len()).sum();
    100.0 * replies as f64 / f64::from(offered.max(1))
}

fn goodput(runs: &Runs) -> Plot {
    let shown = [
        "timeout",
        "naive retry",
        "bulkhead",
        "breaker",
        "preset",
        "preset, stale",
    ];
    Plot {
        file: "goodput",
        title: "Replies in time, of the messages that arrived",
        x: Axis::linear("time of arrival, s", [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
        y: Axis::linear("%", [0.0, 25.0, 50.0, 75.0, 100.0]),
        parts: parts_of_the_day(),
        lines: lines(&shown, runs, |record| over_the_day(served, record)),
    }
}

fn calls(runs: &Runs) -> Plot {
    let shown = [
        "timeout",
        "naive retry",
        "retry",
        "breaker",
        "preset",
        "preset, stale",
    ];
    let rate = |record: &Record| {
        let bins = (BIN.as_nanos() / CALLS_BIN.as_nanos()) as usize * AVERAGED;
        let seconds = CALLS_BIN.as_secs_f64() * bins as f64;
        let calls = record.calls(whole_day()).chunks(bins).enumerate();
        let point = |(at, calls): (usize, &[u32])| {
            (
                at as f64 * seconds,
                f64::from(calls.iter().sum::<u32>()) / seconds,
            )
        };
        calls.map(point).collect()
    };
    Plot {
        file: "calls",
        title: "Calls to the backend",
        x: Axis::linear("time, s", [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
        y: Axis::linear("a second", [0.0, 2000.0, 4000.0, 6000.0]),
        parts: parts_of_the_day(),
        lines: lines(&shown, runs, rate),
    }
}

const RETRIES: [&str; 3] = ["retry, no jitter", "retry, no budget", "retry"];

/// Plots the calls in the first second and a half after the crash.
fn waves(runs: &Runs) -> Plot {
    let down = BAD_DAY.span("down").from;
    let span = Span {
        from: down - Duration::from_millis(100),
        until: down + Duration::from_millis(1500),
    };
    let bin = CALLS_BIN.as_secs_f64();
    let counts = |record: &Record| {
        let calls = record.calls(span).iter().enumerate();
        let point = |(at, calls): (usize, &u32)| (at as f64 * bin - 0.1, f64::from(*calls));
        calls.map(point).collect()
    };
    Plot {
        file: "waves",
        title: "Calls to the backend after it has crashed",
        x: Axis::linear(
            "seconds after the crash",
            [-0.1, 0.0, 0.1, 0.3, 0.5, 0.7, 1.0, 1.5],
        ),
        y: Axis::linear("in 10 ms", [0.0, 40.0, 80.0, 120.0]),
        parts: Vec::new(),
        lines: lines(&RETRIES, runs, counts),
    }
}

fn frequencies(runs: &Runs) -> Plot {
    let down = BAD_DAY.span("down");
    let mut lines = lines(&RETRIES, runs, |record| spectrum(record.calls(down)));
    lines.push(Line {
        name: "bound of noise".into(),
        points: vec![(LOWEST_WAVE, NO_WAVE), (50.0, NO_WAVE)],
    });
    Plot {
        file: "spectrum",
        title: "Their spectrum while it is down",
        x: Axis::linear("hertz", [0.0, 10.0, 20.0, 30.0, 40.0, 50.0]),
        y: Axis::linear("power, of noise", [0.0, 2.0, 4.0, 6.0, 8.0]),
        parts: Vec::new(),
        lines,
    }
}

fn tail(runs: &Runs) -> Plot {
    let span = LONG_TAIL.span("stumbling");
    let slower = |record: &Record| {
        let shares = (0..=60).map(|step| 10_f64.powf(-f64::from(step) / 20.0));
        let point = |share: f64| (1000.0 * record.latency(span, 1.0 - share), 100.0 * share);
        shares.map(point).collect()
    };
    Plot {
        file: "tail",
        title: "Replies that took longer",
        x: Axis::logarithmic("than ms", [2.0, 5.0, 10.0, 20.0, 50.0, 100.0, 250.0, 500.0]),
        y: Axis::logarithmic("%", [0.1, 1.0, 10.0, 100.0]),
        parts: Vec::new(),
        lines: lines(&["tail", "tail, hedge"], runs, slower),
    }
}
