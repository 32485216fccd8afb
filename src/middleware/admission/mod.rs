//! Layers that decide if a message may run at all.

pub mod adaptive_limit;
pub mod authorize;
pub mod bulkhead;
pub mod rate_limit;
pub mod validation;
