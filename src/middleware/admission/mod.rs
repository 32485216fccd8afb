//! Layers that decide whether a message may run before its handler is called.

pub mod adaptive_limit;
pub mod authorize;
pub mod bulkhead;
pub mod rate_limit;
pub mod validation;
