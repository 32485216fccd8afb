//! [`Metrics`]: the recorders of all routes.

use std::fmt;

use super::recorder::Recorder;
use super::route::RouteMetrics;
use super::snapshot::MetricsSnapshot;
use crate::pipeline::RouteInfo;
use crate::registry::Unhandled;
use crate::sync::{Mutex, PlainArc};

/// Counts and latencies of the routes that its [`layer`](Metrics::layer) stands above, of one bus or
/// of several; clones record into the same.
///
/// A route is known by its message's name and kind: one that is replaced, or deregistered and
/// registered again, goes on counting.
///
/// Messages that a bus has no handler for pass no layer. The bus counts them itself, and a snapshot has
/// them of every bus on which this layer stands above at least one route.
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
    /// Nothing recorded yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The totals now. Dispatches go on meanwhile; the totals of a route agree with each other all
    /// the same.
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
    /// Keeps the counts of a bus; forgets buses that are gone and had a handler for everything.
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
        // What writes is user code.
        let known = self.0.lock();
        let names: Vec<_> = known.routes.iter().map(|route| route.name).collect();
        drop(known);
        f.debug_set().entries(names).finish()
    }
}
