//! Layers that observe dispatches and report them, without changing their outcome.

#[cfg(feature = "tracing")]
pub mod trace;
