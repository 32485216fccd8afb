//! The layers that guard and watch a handler.
//!
//! Each has a module of its own: a layer (its settings, checked when a handler is registered), the
//! middleware that it makes for each route, and, where there is state, a policy: the state machine
//! alone, which can be used without a bus.

pub mod adaptive_limit;
pub mod bulkhead;
mod handles;

pub use adaptive_limit::{AdaptiveLimit, Priority};
pub use bulkhead::Bulkhead;
pub use handles::Handles;
