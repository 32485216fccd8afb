//! One computation a key at a time, which others wait for. Also known as "single flight" (Go's
//! `golang.org/x/sync/singleflight`), here with a leader that may give up,
//! and hands the run on to another.

mod flight;
mod leader;
mod map;
#[cfg(arcbus_loom)]
pub(crate) mod model;
mod stay;
mod wait;
mod waiter;

pub(crate) use leader::Leader;
pub(crate) use map::{Flights, Joined};
pub(crate) use stay::Stay;
pub(crate) use wait::arrival;
pub(crate) use waiter::{Arrival, Waiter};
