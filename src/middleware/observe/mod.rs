//! Layers that watch a dispatch.

#[cfg(feature = "tracing")]
pub mod trace;
