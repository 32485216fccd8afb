//! Layers that observe dispatches.

#[cfg(feature = "tracing")]
pub mod trace;
