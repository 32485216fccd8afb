//! What is asked of the runs, and whether it is so.

use std::fmt;
use std::time::Duration;

use super::record::{BIN, Record};
use super::runs::Runs;
use super::timeline::{BAD_DAY, Span, Timeline};

/// How soon after the backend has recovered nearly all get replies again.
const SOON: f64 = 2.0;
/// What counts as nearly all.
const NEARLY_ALL: f64 = 0.95;
/// Over so many bins, half a second, that share is taken.
const STEADY: usize = 5;

/// One figure.
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
        let verdict = if self.holds() { "holds" } else { "DOES NOT HOLD" };
        write!(f, "{:<74} {:>7.3}  {word:>8} {bound:>7.3}  {verdict}", self.what, self.found)
    }
}

/// All of them.
pub(crate) fn figures(runs: &Runs) -> Vec<Figure> {
    let mut figures = recovery(runs);
    figures.extend(goodput(runs));
    figures
}

fn recovery(runs: &Runs) -> Vec<Figure> {
    let figure = |name: &&str| {
        let found = recovered_after(runs.of(name), &BAD_DAY);
        let found = found.map_or(f64::INFINITY, |time| time.as_secs_f64());
        let what = format!("{name}: seconds from the recovery to replies for 95 %");
        Figure::at_most(SOON, found, what)
    };
    ["preset"].iter().map(figure).collect()
}

fn goodput(runs: &Runs) -> Vec<Figure> {
    let bad = bad_time(&BAD_DAY);
    let ratio = runs.of("preset").replies(bad) / runs.of("naive retry").replies(bad);
    vec![Figure::at_least(
        2.0,
        ratio,
        "preset: replies in the bad time, times those of naive retry",
    )]
}

/// From when it goes wrong to the end: what is lost after the recovery is lost by it, too.
pub(crate) fn bad_time(timeline: &Timeline) -> Span {
    timeline.span("slow").to(timeline.span("recovered"))
}

/// How long after the recovery it takes until nearly all messages get replies, and go on to.
pub(crate) fn recovered_after(record: &Record, timeline: &Timeline) -> Option<Duration> {
    let span = timeline.span("recovered");
    let bins = record.bins_of(span);
    let served = |bins: &[super::record::Bin]| {
        let offered: u32 = bins.iter().map(|bin| bin.offered).sum();
        let replies: usize = bins.iter().map(|bin| bin.replies.len()).sum();
        replies as f64 >= NEARLY_ALL * f64::from(offered)
    };
    let well = bins.windows(STEADY).rev().take_while(|bins| served(bins));
    let well = well.count();
    let windows = bins.len() + 1 - STEADY;
    (well > 0).then(|| BIN * (windows - well) as u32)
}
