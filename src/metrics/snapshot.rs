//! [`MetricsSnapshot`]: the totals of a moment.

use std::fmt;
use std::time::Duration;

use super::failure::FailureKind;
use super::histogram::highest_of;
use super::recorder::Totals;
use crate::context::Source;

/// The totals of all routes, from [`Metrics::snapshot`](super::Metrics::snapshot). Prints as a table.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    routes: Vec<RouteMetrics>,
}

/// The totals of one route.
#[derive(Clone, Debug)]
pub struct RouteMetrics {
    name: &'static str,
    kind: &'static str,
    totals: Totals,
}

impl MetricsSnapshot {
    pub(crate) fn new(routes: Vec<RouteMetrics>) -> Self {
        Self { routes }
    }

    /// The routes, in the order of their first registration.
    #[must_use]
    pub fn routes(&self) -> &[RouteMetrics] {
        &self.routes
    }

    /// The first route of the message with this name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&RouteMetrics> {
        self.routes.iter().find(|route| route.name == name)
    }
}

impl RouteMetrics {
    pub(crate) fn new(name: &'static str, kind: &'static str, totals: Totals) -> Self {
        Self { name, kind, totals }
    }

    /// The message's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// `"command"` or `"query"`.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// How many dispatches have ended: replies and failures.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.replies() + self.failed()
    }

    /// How many dispatches gave a reply.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.totals.replies.iter().sum()
    }

    /// How many replies came from there: the handler, or a layer that answered in its place.
    #[must_use]
    pub fn replies_from(&self, source: Source) -> u64 {
        match (source as usize).checked_sub(1) {
            Some(place) => self.totals.substitutes[place],
            None => self.replies() - self.totals.substitutes.iter().sum::<u64>(),
        }
    }

    /// How many dispatches gave none.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.totals.failures.iter().sum()
    }

    /// How many failed in this way.
    #[must_use]
    pub fn failures(&self, kind: FailureKind) -> u64 {
        self.totals.failures[kind as usize]
    }

    /// How many have begun and not ended; with those that ended while the totals were added up.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.totals.started.saturating_sub(self.count())
    }

    /// The mean latency of the replies, if there are any: from the layer to the end of the handler.
    /// While dispatches end it may count one a thread that is not in [`replies`](Self::replies) yet.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let nanos = self.totals.sum.checked_div(self.replies())?;
        Some(Duration::from_nanos(nanos))
    }

    /// The latency of the slowest reply, if there is one.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.replies() > 0).then(|| Duration::from_nanos(self.totals.max))
    }

    /// A latency that this part of the replies did not exceed, if there are any: 0.5 for the median,
    /// 0.999 for p999. Known to a sixteenth, rounded up, and to the nanosecond below 32 ns; what took
    /// longer than 69 seconds counts as the slowest. A `part` outside 0 to 1 is moved to the next
    /// end.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Option<Duration> {
        let max = self.totals.max;
        let rank = (part.clamp(0.0, 1.0) * self.replies() as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.totals.replies.iter().position(|count| {
            seen += count;
            seen >= rank
        })?;
        let last = bucket + 1 == self.totals.replies.len();
        let nanos = if last {
            max
        } else {
            highest_of(bucket).min(max)
        };
        Some(Duration::from_nanos(nanos))
    }
}

impl fmt::Display for MetricsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:24} {:>12} {:>10} {:>9} {:>10} {:>10} {:>10} {:>10}",
            "route", "count", "failed", "in flight", "mean", "p50", "p99", "p999"
        )?;
        self.routes.iter().try_for_each(|route| route.fmt(f))
    }
}

/// One line of the table, one for each source of replies besides the handler, and one for each kind of
/// failure there was.
impl fmt::Display for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let or_none = |latency: Option<Duration>| {
            latency.map_or_else(|| "-".to_owned(), |latency| format!("{latency:.1?}"))
        };
        writeln!(
            f,
            "{:24} {:>12} {:>10} {:>9} {:>10} {:>10} {:>10} {:>10}",
            self.name,
            self.count(),
            self.failed(),
            self.in_flight(),
            or_none(self.mean()),
            or_none(self.percentile(0.5)),
            or_none(self.percentile(0.99)),
            or_none(self.percentile(0.999)),
        )?;
        for source in &Source::ALL[1..] {
            match self.replies_from(*source) {
                0 => {}
                count => writeln!(f, "  {:22} {count:>12}", source.name())?,
            }
        }
        for kind in FailureKind::ALL {
            match self.failures(*kind) {
                0 => {}
                count => writeln!(f, "  {:22} {count:>12}", kind.name())?,
            }
        }
        Ok(())
    }
}
