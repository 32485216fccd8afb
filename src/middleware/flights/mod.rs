//! One computation a key at a time, which others wait for. Also known as "single flight" (Go's
//! `golang.org/x/sync/singleflight`), here with a leader that may give up.

mod flight;
mod flights;
mod leader;
#[cfg(arcbus_loom)]
pub(crate) mod model;
mod wait;
mod waiter;

pub(crate) use flights::{Flights, Joined};
pub(crate) use leader::Leader;
pub(crate) use wait::arrival;
pub(crate) use waiter::{Arrival, Waiter};
