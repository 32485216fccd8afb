//! Dispatching beside tokio: runtimes, timers and cancellation tokens, each behind its feature.
#![cfg(any(feature = "tokio", feature = "tokio-util"))]

#[path = "../support/acts.rs"]
mod acts;

#[cfg(feature = "tokio")]
mod blocking;
#[cfg(feature = "tokio-time")]
mod time;
#[cfg(feature = "tokio-util")]
mod util;
