//! Layers that reply from an earlier run, or join a run that is under way.

mod cache;
mod cache_consistency;
mod cache_invalidation;
mod cache_waits;
mod coalesce;
mod idempotency;
mod max_waiters;
mod shared_run;
mod touchy;
mod wakers;
