//! Layers that watch a dispatch.

mod debug;
mod metrics;
#[cfg(feature = "tracing")]
mod trace;
mod unhandled;
