//! One computation a key at a time, which others wait for. Also known as "single flight" (Go's
//! `golang.org/x/sync/singleflight`), here with a leader that may give up.

mod flight;
mod flights;

pub(crate) use flight::{Arrival, Leader, Waiter};
pub(crate) use flights::{Flights, Joined};
