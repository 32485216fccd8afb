//! [`Idempotency`](arcbus::middleware::Idempotency): runs a command that is sent twice only once.

mod blank;
mod doubts;
mod duplicates;
mod keys;
mod memory_store;
mod nested;
pub(crate) mod pay;
mod stores;
