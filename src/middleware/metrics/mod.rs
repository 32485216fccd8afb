//! The layer that records [`metrics`](crate::metrics).

mod layer;
mod middleware;

pub use layer::MetricsLayer;
pub use middleware::MetricsMiddleware;
