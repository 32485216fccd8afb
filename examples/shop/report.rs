//! The report: the outcomes of all messages, as a table.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use arcbus::{Error, Message, Outcome};

use super::model::{Cents, ShopError};

/// Number of occurrences of each name, where the name belongs to a message or an error.
pub(crate) type Tally = BTreeMap<&'static str, u64>;

/// The counts of all outcomes, from which the table is printed.
#[derive(Clone, Debug, Default)]
pub(crate) struct Report {
    pub(crate) rows: BTreeMap<&'static str, Row>,
    pub(crate) malformed: Tally,
    pub(crate) nested: Tally,
    pub(crate) turnover: Cents,
}

/// Outcomes of one kind of message, with their total time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Row {
    pub(crate) ok: u64,
    pub(crate) errors: Tally,
    time: Duration,
}

impl Row {
    pub(crate) fn failed(&self) -> u64 {
        self.errors.values().sum()
    }

    pub(crate) fn count(&self) -> u64 {
        self.ok + self.failed()
    }

    fn add(&mut self, other: &Self) {
        self.ok += other.ok;
        self.time += other.time;
        for (name, count) in &other.errors {
            *self.errors.entry(name).or_default() += count;
        }
    }

    fn per_second(&self) -> Option<u64> {
        let seconds = self.time.as_secs_f64();
        (seconds > 0.0).then(|| (self.count() as f64 / seconds) as u64)
    }
}

impl Report {
    /// Records an outcome, and the time that its dispatch took.
    pub(crate) fn record<M>(&mut self, outcome: &Outcome<M>, time: Duration)
    where
        M: Message<Error = ShopError>,
    {
        let row = self.rows.entry(M::NAME).or_default();
        row.time += time;
        match outcome {
            Ok(_) => row.ok += 1,
            Err(error) => *row.errors.entry(name_of(error)).or_default() += 1,
        }
    }

    /// Records a malformed line with the name of the reason.
    pub(crate) fn malformed(&mut self, reason: &'static str) {
        *self.malformed.entry(reason).or_default() += 1;
    }

    /// Adds the counts that only the shop has. Dispatches without a line in the input were nested
    /// dispatches.
    pub(crate) fn close(&mut self, dispatched: &Tally, turnover: Cents) {
        let lines = |name| self.rows.get(name).map_or(0, Row::count);
        self.nested = dispatched
            .iter()
            .map(|(name, count)| (*name, count.saturating_sub(lines(name))))
            .filter(|(_, count)| *count > 0)
            .collect();
        self.turnover = turnover;
    }

    /// Returns the number of malformed lines, whatever the reason.
    pub(crate) fn malformed_lines(&self) -> u64 {
        self.malformed.values().sum()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.rows.is_empty() && self.malformed.is_empty()
    }

    pub(crate) fn total(&self) -> Row {
        let mut total = Row::default();
        self.rows.values().for_each(|row| total.add(row));
        total
    }
}

/// Returns the name of an error: the handler's own error, or an error of the bus.
fn name_of(error: &Error<ShopError>) -> &'static str {
    match error {
        Error::Handler(error) => error.name(),
        other => other.kind().code(),
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "Outcomes by message: how many succeeded and failed, how many passed the bus in a second, \
             and the reasons of failures.\n"
        )?;
        writeln!(
            f,
            "{:<16}{:>9}{:>9}{:>9}{:>13}  errors",
            "message", "count", "ok", "failed", "messages/s"
        )?;
        for (name, row) in &self.rows {
            write_row(f, name, row)?;
        }
        write_row(f, "total", &self.total())?;
        writeln!(f)?;
        write_tally(f, "malformed lines", &self.malformed)?;
        write_tally(f, "nested dispatches", &self.nested)?;
        let turnover = self.turnover.to_string();
        writeln!(f, "{:<18}{turnover:>12}", "turnover")
    }
}

fn write_row(f: &mut fmt::Formatter<'_>, name: &str, row: &Row) -> fmt::Result {
    let (count, ok, failed) = (row.count(), row.ok, row.failed());
    let speed = row.per_second().map_or("-".into(), grouped);
    writeln!(
        f,
        "{name:<16}{count:>9}{ok:>9}{failed:>9}{speed:>13}{}",
        listed(&row.errors)
    )
}

fn write_tally(f: &mut fmt::Formatter<'_>, name: &str, tally: &Tally) -> fmt::Result {
    let sum: u64 = tally.values().sum();
    writeln!(f, "{name:<18}{sum:>12}{}", listed(tally))
}

/// Returns each name with its count, as the end of a line of the table.
fn listed(tally: &Tally) -> String {
    let parts = tally.iter().enumerate().map(|(nth, (name, count))| {
        let separator = if nth == 0 { "  " } else { ", " };
        format!("{separator}{name} {count}")
    });
    parts.collect()
}

/// Returns the number with a comma before every group of three digits.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let groups = digits
        .as_bytes()
        .rchunks(3)
        .rev()
        .map(String::from_utf8_lossy);
    groups.collect::<Vec<_>>().join(",")
}
