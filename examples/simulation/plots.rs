//! The plots.

use std::fs;
use std::io;
use std::path::Path;

use super::backend::CALLS_BIN;
use super::record::{BIN, Bin, Record};
use super::runs::Runs;
use super::svg::{Axis, Line, Plot, definition};
use super::timeline::{BAD_DAY, LONG_TAIL, Span};

/// So many bins make a point.
const AVERAGED: usize = 2;

/// The plots of `runs`.
pub(crate) fn plots(runs: &Runs) -> Vec<Plot> {
    vec![goodput(runs), calls(runs), tail(runs)]
}

/// Writes them to `folder`, and with them the definitions that a page embeds them by.
///
/// # Errors
///
/// If they cannot be written.
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

const SHOWN: [&str; 5] = ["none", "naive retry", "bulkhead", "breaker", "preset"];

fn goodput(runs: &Runs) -> Plot {
    Plot {
        file: "goodput",
        title: "Replies in time, of the messages that arrived",
        x: Axis::linear("time of arrival, s", [0.0, 5.0, 10.0, 15.0, 20.0, 25.0]),
        y: Axis::linear("%", [0.0, 25.0, 50.0, 75.0, 100.0]),
        parts: parts_of_the_day(),
        lines: lines(&SHOWN, runs, |record| over_the_day(served, record)),
    }
}

fn calls(runs: &Runs) -> Plot {
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
        y: Axis::linear(
            "a second",
            [0.0, 1000.0, 2000.0, 3000.0, 4000.0, 5000.0, 6000.0],
        ),
        parts: parts_of_the_day(),
        lines: lines(&SHOWN, runs, rate),
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
        lines: lines(&["tail"], runs, slower),
    }
}
