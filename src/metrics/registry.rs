//! [`Metrics`]: the recorders of all routes of one or several buses.

use std::fmt;

use super::recorder::Recorder;
use super::route::RouteMetrics;
use super::snapshot::MetricsSnapshot;
use crate::pipeline::RouteInfo;
use crate::registry::Unhandled;
use crate::sync::{Mutex, PlainArc};

/// Counts and latencies of the routes below its [`layer`](Metrics::layer), of one bus or of
/// several. Clones share their counts.
///
/// A route is identified by its message's name and kind. A route that is replaced, or deregistered
/// and registered again, goes on counting.
///
/// Messages without a handler on a bus pass no layer. The bus counts these itself. A snapshot
/// includes the counts of every bus on which this layer stands above at least one route.
#[derive(Clone, Default)]
pub struct Metrics(PlainArc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    routes: Vec<Route>,
    buses: Vec<PlainArc<Unhandled>>,
}

struct Route {
    name: &'static str,
    kind: &'static str,
    recorder: PlainArc<Recorder>,
}

impl Metrics {
    /// Creates metrics with no records.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns the current totals. Dispatches go on in the meantime, and the totals of a route
    /// agree with each other nevertheless.
    #[must_use]
    pub fn snapshot(&self) -> MetricsSnapshot {
        let known = self.0.lock();
        let totals =
            |route: &Route| RouteMetrics::new(route.name, route.kind, route.recorder.totals());
        let mut snapshot = MetricsSnapshot::new(known.routes.iter().map(totals).collect());
        let unhandled = known.buses.iter().flat_map(|bus| bus.counts());
        unhandled.for_each(|unhandled| snapshot.add_unhandled(unhandled));
        snapshot
    }

    pub(crate) fn recorder(&self, info: &RouteInfo) -> PlainArc<Recorder> {
        let mut known = self.0.lock();
        if let Some(bus) = info.unhandled() {
            known.watch(bus);
        }
        known.recorder(info.name(), info.kind())
    }
}

impl Known {
    /// Adds the unhandled counts of a bus, and forgets dropped buses that had a handler for every
    /// message.
    fn watch(&mut self, bus: &PlainArc<Unhandled>) {
        self.buses
            .retain(|bus| PlainArc::strong_count(bus) > 1 || !bus.is_empty());
        if !self.buses.iter().any(|known| PlainArc::ptr_eq(known, bus)) {
            self.buses.push(PlainArc::clone(bus));
        }
    }

    fn recorder(&mut self, name: &'static str, kind: &'static str) -> PlainArc<Recorder> {
        let mut routes = self.routes.iter();
        let known = routes.find(|route| route.name == name && route.kind == kind);
        if let Some(route) = known {
            return PlainArc::clone(&route.recorder);
        }
        let recorder = PlainArc::new(Recorder::new());
        self.routes.push(Route {
            name,
            kind,
            recorder: PlainArc::clone(&recorder),
        });
        recorder
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Copies the names first, because the formatter may run user code, which must not find the
        // lock held.
        let known = self.0.lock();
        let names: Vec<_> = known.routes.iter().map(|route| route.name).collect();
        drop(known);
        f.debug_set().entries(names).finish()
    }
}
