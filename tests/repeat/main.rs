//! The layers that repeat and remember, through a bus.

mod cache;
mod cache_consistency;
mod cache_invalidation;
mod cache_property;
mod cache_support;
mod cache_waits;
mod coalesce;
