//! A rate limit for each key: a tenant, a user, an address.

mod layer;
mod middleware;
mod policy;
mod shard;
mod source;
#[cfg(test)]
mod tests;

pub use layer::KeyedRateLimit;
pub use middleware::KeyedRateLimitGate;
pub use policy::{KeyRefused, KeyedRateLimitPolicy};
pub use source::{ByContext, ByMessage, ByRef, KeySource};
