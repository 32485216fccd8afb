//! [`MetricsLayer`]: the layer that records dispatches in a [`Metrics`](super::Metrics).

use super::MetricsGate;
use crate::message::Message;
use crate::metrics::Metrics;
use crate::pipeline::{Facts, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

impl Metrics {
    /// Returns a layer that records dispatches here. Outermost, the layer also counts the messages
    /// that other layers reject. Innermost, it counts the handler alone.
    #[must_use]
    pub fn layer(&self) -> MetricsLayer {
        MetricsLayer {
            metrics: self.clone(),
        }
    }
}

/// Records the dispatches that pass through the layer. Created by [`Metrics::layer`].
///
/// A dispatch costs a reading of the clock before and after the handler, which the other layers
/// share, and about five plain loads and stores.
#[derive(Clone, Debug)]
pub struct MetricsLayer {
    metrics: Metrics,
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for MetricsLayer {
    type Middleware = Gated<MetricsGate>;

    const ROLE: Role = Role::Metrics;

    fn middleware(
        &self,
        route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Gated(MetricsGate::new(self.metrics.recorder(route))))
    }

    fn facts(&self) -> Facts {
        Facts::new()
    }

    fn name(&self) -> &'static str {
        "Metrics"
    }
}
