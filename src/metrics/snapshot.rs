//! [`MetricsSnapshot`]: the totals of all routes at a moment.

use std::fmt;

use super::route::RouteMetrics;
use super::totals::Totals;
use crate::registry::UnhandledCount;

/// The totals of all routes, from [`Metrics::snapshot`](super::Metrics::snapshot), which display as
/// a table.
#[derive(Clone, Debug)]
pub struct MetricsSnapshot {
    routes: Vec<RouteMetrics>,
}

impl MetricsSnapshot {
    pub(crate) fn new(routes: Vec<RouteMetrics>) -> Self {
        Self { routes }
    }

    /// Adds dispatches without a handler to the present or former route of their message, or to a
    /// new route if the message never had a handler.
    pub(crate) fn add_unhandled(&mut self, unhandled: UnhandledCount) {
        let (name, kind) = (unhandled.message.name(), unhandled.kind);
        let is_it = |route: &RouteMetrics| route.name() == name && route.kind() == kind;
        let place = self.routes.iter().position(is_it).unwrap_or_else(|| {
            let none = RouteMetrics::new(name, kind, Totals::default());
            self.routes.push(none);
            self.routes.len() - 1
        });
        self.routes[place].add_unhandled(unhandled.count);
    }

    /// Returns the routes, in the order of their first registration. Messages that never had a
    /// handler come last, with only [`HandlerNotFound`](crate::ErrorKind::HandlerNotFound)
    /// failures.
    #[must_use]
    pub fn routes(&self) -> &[RouteMetrics] {
        &self.routes
    }

    /// Returns the first route of the message with this name.
    #[must_use]
    pub fn route(&self, name: &str) -> Option<&RouteMetrics> {
        self.routes.iter().find(|route| route.name() == name)
    }

    /// Adds up the counts, times and histograms of all routes. The result has the name `total` and
    /// the kind `all`.
    #[must_use]
    pub fn total(&self) -> RouteMetrics {
        RouteMetrics::total(&self.routes)
    }
}

impl fmt::Display for MetricsSnapshot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        RouteMetrics::write_heading(f)?;
        self.routes.iter().try_for_each(|route| route.fmt(f))?;
        match self.routes.len() {
            0 | 1 => Ok(()),
            _ => self.total().write_line(f),
        }
    }
}
