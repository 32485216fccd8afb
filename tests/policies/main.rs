//! The layers that guard and watch a handler, through a bus and in both lanes.

#[path = "../support/acts.rs"]
mod acts;

mod rate_limit;
