//! [`Chaos`]: makes dispatches slow, fail or panic now and then, to see what the rest makes of it.

mod layer;
mod middleware;
mod policy;

pub use layer::{Chaos, MakeError, TimedOut};
pub use middleware::ChaosMiddleware;
pub use policy::{ChaosPolicy, Fault};
