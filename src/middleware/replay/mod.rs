//! Layers that answer from an earlier run, or join a run that is under way.

pub mod cache;
pub mod coalesce;
pub mod idempotency;
pub(crate) mod singleflight;
