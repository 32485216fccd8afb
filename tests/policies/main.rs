//! The layers that guard and watch a handler, through a bus and in both lanes.

#[path = "../support/acts.rs"]
mod acts;

mod adaptive_limit;
mod adaptive_property;
mod adaptive_simulation;
mod bulkhead;
mod bulkhead_property;
mod jobs;
