//! The layers that repeat a message, or remember what became of one, through a bus.

#[path = "../support/acts.rs"]
mod acts;

mod idempotency;
