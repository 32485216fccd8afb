//! [`Chaos`]: makes some dispatches slow, fail or panic, to show how the other layers cope.

mod layer;
mod middleware;
mod policy;

pub use layer::{Chaos, MakeError, TimedOut};
pub use middleware::ChaosMiddleware;
pub use policy::{ChaosPolicy, Fault};
