//! Layers that keep a failing backend from failing its callers.

mod budget;
mod circuit_breaker;
mod fallback;
mod haste;
mod hedge;
mod retry;
mod timeout;
