//! The tables that the program prints, one for each timeline and one for the figures.

use std::io::{self, Write};

use super::figures::{Figure, bad_time, recovered_after};
use super::record::Record;
use super::runs::Runs;
use super::timeline::{BAD_DAY, HICCUPS, LONG_TAIL, Timeline};

/// Writes the outcomes of each scenario, with one table for each timeline.
///
/// # Errors
///
/// Returns the error of the output if a line cannot be written.
pub(crate) fn write_runs(out: &mut impl Write, runs: &Runs) -> io::Result<()> {
    writeln!(
        out,
        "A bad day. Replies in time, and calls to the backend, of 100 messages:"
    )?;
    let phases = BAD_DAY.phases.iter();
    let names: String = phases.map(|phase| format!("{:>13}", phase.name)).collect();
    writeln!(
        out,
        "{:<22}{names} {:>8} {:>10}",
        "", "bad time", "well after"
    )?;
    for (name, record) in on(runs, &BAD_DAY) {
        write_bad_day(out, name, record)?;
    }
    writeln!(
        out,
        "\nOne call in fifty takes twenty times as long. Milliseconds, and calls of 100 messages:"
    )?;
    writeln!(
        out,
        "{:<22}{:>8}{:>8}{:>8} {:>8}",
        "", "p50", "p99", "p99.9", "calls"
    )?;
    for (name, record) in on(runs, &LONG_TAIL) {
        write_tail(out, name, record)?;
    }
    writeln!(
        out,
        "\nOne call in 33 fails. Replies, and calls, of 100 messages:"
    )?;
    for (name, record) in on(runs, &HICCUPS) {
        write_hiccups(out, name, record)?;
    }
    Ok(())
}

/// Writes the measured figures beside the required ones.
///
/// # Errors
///
/// Returns the error of the output if a line cannot be written.
pub(crate) fn write_figures(out: &mut impl Write, figures: &[Figure]) -> io::Result<()> {
    writeln!(out)?;
    figures
        .iter()
        .try_for_each(|figure| writeln!(out, "{figure}"))
}

fn on<'r>(
    runs: &'r Runs,
    timeline: &'static Timeline,
) -> impl Iterator<Item = (&'static str, &'r Record)> {
    let on_it = runs
        .iter()
        .filter(move |(scenario, _)| std::ptr::eq(scenario.timeline, timeline));
    on_it.map(|(scenario, record)| (scenario.name, record))
}

fn write_bad_day(out: &mut impl Write, name: &str, record: &Record) -> io::Result<()> {
    write!(out, "{name:<22}")?;
    for phase in BAD_DAY.phases {
        let span = BAD_DAY.span(phase.name);
        let offered = record.offered(span) / 100.0;
        let (replies, calls) = (record.replies(span), record.calls_made(span));
        write!(out, "{:>7.1}{:>6.0}", replies / offered, calls / offered)?;
    }
    let bad = bad_time(&BAD_DAY);
    let replies = 100.0 * record.replies(bad) / record.offered(bad);
    let after = match recovered_after(record, &BAD_DAY) {
        Some(time) => format!("{:.1} s", time.as_secs_f64()),
        None => "never".into(),
    };
    writeln!(out, " {replies:>8.1} {after:>10}")
}

fn write_tail(out: &mut impl Write, name: &str, record: &Record) -> io::Result<()> {
    let span = LONG_TAIL.span("stumbling");
    let [middle, high, highest] =
        [0.5, 0.99, 0.999].map(|quantile| 1000.0 * record.latency(span, quantile));
    let calls = 100.0 * record.calls_made(span) / record.offered(span);
    writeln!(
        out,
        "{name:<22}{middle:>8.0}{high:>8.0}{highest:>8.0} {calls:>8.1}"
    )
}

fn write_hiccups(out: &mut impl Write, name: &str, record: &Record) -> io::Result<()> {
    let span = HICCUPS.span("flaky");
    let offered = record.offered(span) / 100.0;
    let (replies, calls) = (record.replies(span), record.calls_made(span));
    writeln!(
        out,
        "{name:<22}{:>8.2}{:>8.1}",
        replies / offered,
        calls / offered
    )
}
