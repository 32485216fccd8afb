//! [`Idempotency`](arcbus::middleware::Idempotency): a command that is sent twice acts once.

mod blank;
mod doubts;
mod duplicates;
mod keys;
mod memory_store;
mod pay;
mod stores;
