//! [`KeyedRateLimit`]: a limit for each key.

mod gate;
mod layer;
mod policy;
mod select;

pub use gate::KeyedRateLimitGate;
pub use layer::KeyedRateLimit;
pub use policy::KeyedRateLimitPolicy;
pub use select::{ByRef, ByValue, Select};
