//! [`Metrics`]: the recorders of all routes.

use std::fmt;

use super::recorder::Recorder;
use super::snapshot::{MetricsSnapshot, RouteMetrics};
use crate::pipeline::RouteInfo;
use crate::sync::{Mutex, PlainArc};

/// Counts and latencies of the routes that its [`layer`](Metrics::layer) stands above, of one bus or
/// of several; clones record into the same.
///
/// A route is known by its message's name and kind: one that is replaced, or deregistered and
/// registered again, goes on counting.
#[derive(Clone, Default)]
pub struct Metrics {
    routes: PlainArc<Mutex<Vec<Route>>>,
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
        let routes = self.routes.lock();
        let totals =
            |route: &Route| RouteMetrics::new(route.name, route.kind, route.recorder.totals());
        MetricsSnapshot::new(routes.iter().map(totals).collect())
    }

    pub(crate) fn recorder(&self, info: &RouteInfo) -> PlainArc<Recorder> {
        let (name, kind) = (info.name(), info.kind());
        let mut routes = self.routes.lock();
        let known = routes
            .iter()
            .find(|route| route.name == name && route.kind == kind);
        if let Some(route) = known {
            return PlainArc::clone(&route.recorder);
        }
        let recorder = PlainArc::new(Recorder::new());
        routes.push(Route {
            name,
            kind,
            recorder: PlainArc::clone(&recorder),
        });
        recorder
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let routes = self.routes.lock();
        f.debug_set()
            .entries(routes.iter().map(|route| route.name))
            .finish()
    }
}
