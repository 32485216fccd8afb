//! Layers that observe a dispatch without changing it.

mod debug;
mod metrics;
#[cfg(feature = "tracing")]
mod trace;
mod unhandled;
