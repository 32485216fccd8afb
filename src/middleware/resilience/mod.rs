//! Layers that keep a failing backend from failing its callers.

pub mod budget;
pub mod circuit_breaker;
pub mod fallback;
pub mod hedge;
pub mod retry;
pub mod timeout;
