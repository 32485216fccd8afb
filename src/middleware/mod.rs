//! The layers that guard and watch a handler.
//!
//! Each has a module of its own: a layer (its settings, checked when a handler is registered), the
//! middleware that it makes for each route, and, where there is state, a policy: the state machine
//! alone, which can be used without a bus.

mod handles;
pub mod rate_limit;

pub use handles::Handles;
pub use rate_limit::{KeyedRateLimit, RateLimit};
