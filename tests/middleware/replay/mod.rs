//! Layers that answer from an earlier run, or join one that is under way.

mod cache;
mod cache_consistency;
mod cache_invalidation;
mod cache_waits;
mod coalesce;
mod idempotency;
mod max_waiters;
mod touchy;
mod wakers;
