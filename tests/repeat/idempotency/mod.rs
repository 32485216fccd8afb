//! [`Idempotency`](arcbus::middleware::Idempotency): a command that is sent twice acts once.

mod doubts;
mod duplicates;
mod keys;
mod pay;
mod property;
mod stores;
