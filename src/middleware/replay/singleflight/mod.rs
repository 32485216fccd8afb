//! Makes one load per key at a time, while all other callers of the key wait for its value.
//!
//! The pattern is known as "single flight", after Go's `golang.org/x/sync/singleflight`. A flight is a
//! load under way, with one leader that makes the load, and with waiters for the value. Here a leader may
//! give up, and then hands the run of the load on to a waiter.

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
