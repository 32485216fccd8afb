//! The layers that repeat and remember, and what is said of them.

#[path = "../support/acts.rs"]
mod acts;

mod asking;
mod budget;
mod explain;
mod fallback;
mod hedge;
mod idempotency;
mod retry;
