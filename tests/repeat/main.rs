//! The layers that repeat and remember, and what is said of them.

#[path = "../support/acts.rs"]
mod acts;
#[path = "../support/hostile.rs"]
mod hostile;

mod asking;
mod budget;
mod cache;
mod cache_consistency;
mod cache_invalidation;
mod cache_support;
mod cache_waits;
mod coalesce;
mod explain;
mod fallback;
mod hedge;
mod idempotency;
mod max_waiters;
mod retry;
mod touchy;
mod wakers;
