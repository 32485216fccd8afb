//! The measurements of a run, ordered by the time at which each message arrived.

use std::collections::BTreeMap;
use std::time::Duration;

use arcbus::Error;

use super::backend::{CALLS_BIN, Trouble};
use super::timeline::{Span, Timeline};

/// Width of the bins in which messages are counted.
pub(crate) const BIN: Duration = Duration::from_millis(100);

/// The messages that arrived in one [`BIN`], by their outcomes.
#[derive(Clone, Debug, Default)]
pub(crate) struct Bin {
    pub(crate) offered: u32,
    /// Latencies of the messages that got a reply in time, in seconds.
    pub(crate) replies: Vec<f64>,
    pub(crate) errors: BTreeMap<&'static str, u32>,
}

/// All measurements of one run, both on the side of the callers and of the backend.
#[derive(Debug, Default)]
pub(crate) struct Record {
    bins: Vec<Bin>,
    /// Number of calls to the backend, in bins of [`CALLS_BIN`], by the time of the call.
    calls: Vec<u32>,
}

impl Record {
    pub(crate) fn new(timeline: &Timeline) -> Self {
        Self {
            bins: vec![Bin::default(); index(timeline.end, BIN)],
            calls: vec![0; index(timeline.end, CALLS_BIN)],
        }
    }

    pub(crate) fn arrive(&mut self, at: Duration) {
        self.bin(at).offered += 1;
    }

    pub(crate) fn end<T>(
        &mut self,
        arrived: Duration,
        now: Duration,
        outcome: &Result<T, Error<Trouble>>,
    ) {
        let bin = self.bin(arrived);
        match outcome {
            Ok(_) => bin.replies.push((now - arrived).as_secs_f64()),
            Err(error) => *bin.errors.entry(kind(error)).or_default() += 1,
        }
    }

    /// Adds the calls that the backend has counted.
    pub(crate) fn take_calls(&mut self, made: &[u32]) {
        for (calls, made) in self.calls.iter_mut().zip(made) {
            *calls = *made;
        }
    }

    pub(crate) fn offered(&self, span: Span) -> f64 {
        self.within(span).map(|bin| f64::from(bin.offered)).sum()
    }

    pub(crate) fn replies(&self, span: Span) -> f64 {
        self.within(span).map(|bin| bin.replies.len() as f64).sum()
    }

    /// Returns the calls to the backend in `span`, in bins of [`CALLS_BIN`].
    pub(crate) fn calls(&self, span: Span) -> &[u32] {
        &self.calls[index(span.from, CALLS_BIN)..index(span.until, CALLS_BIN)]
    }

    pub(crate) fn calls_made(&self, span: Span) -> f64 {
        self.calls(span).iter().map(|calls| f64::from(*calls)).sum()
    }

    /// Returns the latency, in seconds, that the share `quantile` of the replies in `span` does not
    /// exceed, or 0 without replies.
    pub(crate) fn latency(&self, span: Span, quantile: f64) -> f64 {
        let bins = self.within(span);
        let mut all: Vec<_> = bins.flat_map(|bin| bin.replies.iter().copied()).collect();
        all.sort_by(f64::total_cmp);
        let at = (quantile * all.len() as f64) as usize;
        all.get(at).or(all.last()).copied().unwrap_or(0.0)
    }

    /// Returns the bins of messages in `span`.
    pub(crate) fn bins_of(&self, span: Span) -> &[Bin] {
        &self.bins[index(span.from, BIN)..index(span.until, BIN)]
    }

    fn within(&self, span: Span) -> impl Iterator<Item = &Bin> {
        self.bins_of(span).iter()
    }

    fn bin(&mut self, at: Duration) -> &mut Bin {
        &mut self.bins[index(at, BIN)]
    }
}

fn index(at: Duration, bin: Duration) -> usize {
    (at.as_nanos() / bin.as_nanos()) as usize
}

fn kind(error: &Error<Trouble>) -> &'static str {
    match error {
        Error::Timeout { .. } => "timeout",
        Error::CircuitOpen { .. } => "circuit open",
        Error::RateLimited { .. } => "rate limited",
        Error::Overloaded { .. } => "overloaded",
        Error::Handler(Trouble::Down) => "down",
        Error::Handler(Trouble::Reset) => "reset",
        Error::Handler(Trouble::Full) => "full",
        _ => "other",
    }
}
