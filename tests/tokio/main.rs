//! Dispatching beside tokio: runtimes and cancellation tokens. Timers have a program of their own, `tokio_time`,
//! because its tests expect a process without a timer thread of the library.
#![cfg(any(feature = "tokio", feature = "tokio-util"))]

#[path = "../support/acts.rs"]
mod acts;

#[cfg(feature = "tokio")]
mod blocking;
#[cfg(feature = "tokio-util")]
mod util;
