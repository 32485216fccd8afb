//! [`RouteMetrics`]: the totals of one route, for reading and for exporters.

use std::fmt;
use std::time::Duration;

use super::histogram::highest_of;
use super::totals::Totals;
use crate::context::Source;
use crate::outcome::ErrorKind;

/// The totals of one route, or of all routes together
/// ([`MetricsSnapshot::total`](super::MetricsSnapshot::total)).
///
/// A latency is measured from the layer to the end of the handler, with the clock of the bus, and
/// counted in whole nanoseconds. Sums and the slowest reply are exact, up to 584 years for each
/// thread. A bucket of the histogram holds latencies that differ by a sixteenth at most: see
/// [`buckets`](Self::buckets).
#[derive(Clone)]
pub struct RouteMetrics {
    name: &'static str,
    kind: &'static str,
    totals: Totals,
}

/// A bucket of a latency histogram. Counts the replies that took longer than the bound of the
/// bucket before, and no longer than its own bound.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Bucket {
    /// The longest latency in the bucket. `None` for the last bucket, which counts all replies that
    /// took 2^36 ns (69 seconds) or longer.
    pub upper_bound: Option<Duration>,
    /// Number of replies in the bucket.
    pub count: u64,
}

impl RouteMetrics {
    pub(crate) fn new(name: &'static str, kind: &'static str, totals: Totals) -> Self {
        Self { name, kind, totals }
    }

    pub(super) fn total(routes: &[Self]) -> Self {
        let mut totals = Totals::default();
        routes.iter().for_each(|route| totals.add(&route.totals));
        Self::new("total", "all", totals)
    }

    pub(super) fn add_unhandled(&mut self, count: u64) {
        self.totals.add_unhandled(count);
    }

    /// Returns the message's name.
    #[must_use]
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns `"command"` or `"query"`, or `"all"` for a total.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        self.kind
    }

    /// Returns the number of dispatches that have ended, by a reply or a failure.
    #[must_use]
    pub fn count(&self) -> u64 {
        self.replies() + self.failed()
    }

    /// Returns the number of dispatches that ended with a reply.
    #[must_use]
    pub fn replies(&self) -> u64 {
        self.totals.replies.iter().sum()
    }

    /// Returns the number of replies from `source`, which is the handler or a layer that replied in
    /// its place.
    #[must_use]
    pub fn replies_from(&self, source: Source) -> u64 {
        match (source as usize).checked_sub(1) {
            Some(place) => self.totals.substitutes[place],
            None => self.replies() - self.totals.substitutes.iter().sum::<u64>(),
        }
    }

    /// Returns the number of dispatches that ended without a reply.
    #[must_use]
    pub fn failed(&self) -> u64 {
        self.totals.failures.iter().sum()
    }

    /// Returns the number of failures of this kind.
    #[must_use]
    pub fn failures(&self, kind: ErrorKind) -> u64 {
        self.totals.failures[kind as usize]
    }

    /// Returns the number of dispatches that have begun and not ended. Dispatches that ended while
    /// the totals were added up are included.
    #[must_use]
    pub fn in_flight(&self) -> u64 {
        self.totals.started.saturating_sub(self.count())
    }

    /// Returns the mean time of all ended dispatches, with or without a reply, or `None` if there
    /// are none. A message without a handler takes no time and is left out.
    ///
    /// While dispatches end, a mean may include one dispatch for each thread that the other counts
    /// do not include yet.
    #[must_use]
    pub fn mean(&self) -> Option<Duration> {
        let sum = self.reply_time().saturating_add(self.failure_time());
        mean(sum, self.replies() + self.timed_failures())
    }

    /// Returns the mean latency of the replies, or `None` if there are none.
    #[must_use]
    pub fn mean_of_replies(&self) -> Option<Duration> {
        mean(self.reply_time(), self.replies())
    }

    /// Returns the mean time until a dispatch failed, or `None` if none has. A message without a
    /// handler takes no time and is left out.
    #[must_use]
    pub fn mean_of_failures(&self) -> Option<Duration> {
        mean(self.failure_time(), self.timed_failures())
    }

    /// Returns the latencies of all replies together, which is the sum of the histogram.
    #[must_use]
    pub fn reply_time(&self) -> Duration {
        self.totals.reply_time
    }

    /// Returns the times of all failures together, each measured until the dispatch failed or was
    /// dropped.
    #[must_use]
    pub fn failure_time(&self) -> Duration {
        self.totals.failure_time
    }

    /// Returns the latency of the slowest reply, if there is one.
    #[must_use]
    pub fn max(&self) -> Option<Duration> {
        (self.replies() > 0).then_some(self.totals.max)
    }

    /// Returns a latency that this part of the replies did not exceed, or `None` without replies.
    /// Pass 0.5 for the median and 0.999 for p999; values outside 0 to 1 are clamped. The result is
    /// rounded up by a sixteenth at most, and exact below 32 ns. Replies over 69 seconds count as
    /// the slowest reply.
    #[must_use]
    pub fn percentile(&self, part: f64) -> Option<Duration> {
        let max = self.totals.max;
        let rank = (part.clamp(0.0, 1.0) * self.replies() as f64)
            .ceil()
            .max(1.0) as u64;
        let mut seen = 0;
        let bucket = self.buckets().find(|bucket| {
            seen += bucket.count;
            seen >= rank
        })?;
        Some(bucket.upper_bound.map_or(max, |bound| bound.min(max)))
    }

    /// Returns the histogram of the replies' latencies, from the shortest up, empty buckets
    /// included. Every route has the 529 buckets with these bounds. Their counts add up to
    /// [`replies`](Self::replies), and the latencies in them to [`reply_time`](Self::reply_time).
    ///
    /// There is one bucket for each nanosecond below 32 ns, then 16 for each power of two up to
    /// 2^36 ns (69 seconds). A bound is at most a sixteenth above any latency in its bucket. An
    /// exporter merges neighbours into the buckets that it needs:
    ///
    /// ```
    /// use std::time::Duration;
    /// use arcbus::metrics::RouteMetrics;
    ///
    /// /// How many replies took no longer than `bound`, rounded down to a bucket of ours.
    /// fn up_to(route: &RouteMetrics, bound: Duration) -> u64 {
    ///     let within = route.buckets().filter(|it| it.upper_bound.is_some_and(|upper| upper <= bound));
    ///     within.map(|bucket| bucket.count).sum()
    /// }
    /// ```
    pub fn buckets(&self) -> impl Iterator<Item = Bucket> + '_ {
        let counts = self.totals.replies.iter().enumerate();
        counts.map(|(bucket, count)| Bucket {
            upper_bound: highest_of(bucket).map(Duration::from_nanos),
            count: *count,
        })
    }

    fn timed_failures(&self) -> u64 {
        self.failed() - self.totals.unhandled
    }
}

fn mean(sum: Duration, count: u64) -> Option<Duration> {
    let nanos = sum.as_nanos().checked_div(count.into())?;
    Some(Duration::from_nanos(
        u64::try_from(nanos).unwrap_or(u64::MAX),
    ))
}

/// Writes counts and times, without the histogram.
impl fmt::Debug for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RouteMetrics")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("replies", &self.replies())
            .field("failed", &self.failed())
            .field("in_flight", &self.in_flight())
            .field("mean", &self.mean())
            .field("max", &self.max())
            .finish_non_exhaustive()
    }
}

impl RouteMetrics {
    pub(super) fn write_heading(f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(
            f,
            "{:24} {:>12} {:>10} {:>9} {:>10} {:>10} {:>10} {:>10}",
            "route", "count", "failed", "in flight", "mean", "p50", "p99", "p999"
        )
    }

    pub(super) fn write_line(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
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
        )
    }
}

/// Writes one line of the table, then a line for each source of replies besides the handler and for
/// each kind of failure that occurred.
impl fmt::Display for RouteMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.write_line(f)?;
        for source in &Source::ALL[1..] {
            match self.replies_from(*source) {
                0 => {}
                count => writeln!(f, "  {:22} {count:>12}", source.name())?,
            }
        }
        for kind in ErrorKind::ALL {
            match self.failures(*kind) {
                0 => {}
                count => writeln!(f, "  {:22} {count:>12}", kind.code())?,
            }
        }
        Ok(())
    }
}
