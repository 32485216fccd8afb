//! Layers that decide whether a message may run at all, and how soon.

mod adaptive_limit;
mod adaptive_simulation;
mod authorize;
mod bulkhead;
mod rate_limit;
mod touchy_keys;
mod validation;
