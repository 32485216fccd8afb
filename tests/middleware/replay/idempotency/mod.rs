//! [`Idempotency`](arcbus::middleware::Idempotency): a command that is sent twice acts once.

mod blank;
mod doubts;
mod duplicates;
mod keys;
mod memory_store;
mod nested;
pub(crate) mod pay;
mod stores;
