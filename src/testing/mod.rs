//! Tools for testing your own code (feature `testing`).
//!
//! # Code that dispatches
//!
//! Code that is generic over [`Dispatch`](crate::Dispatch) accepts a [`Recorder`] instead of a bus.
//! The recorder gives canned replies and records the messages.
//!
//! # Time
//!
//! A bus built with a [`FakeClock`] has the time that the test sets. The method
//! [`advance`](FakeClock::advance) fast-forwards deadlines, timeouts and every other policy, and
//! fires the timers that are due. Nothing sleeps.
//!
//! ```
//! use std::convert::Infallible;
//! use std::time::Duration;
//! use arcbus::middleware::Timeout;
//! use arcbus::testing::{FakeClock, poll_once};
//! use arcbus::{Context, Message, Query, QueryBus, from_async_fn};
//!
//! struct Report;
//! impl Message for Report {
//!     const NAME: &'static str = "report";
//!     type Kind = Query;
//!     type Reply = u32;
//!     type Error = Infallible;
//! }
//!
//! async fn never(_msg: Report, _cx: &Context<'_>) -> Result<u32, Infallible> {
//!     std::future::pending().await
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! const HOUR: Duration = Duration::from_secs(3600);
//!
//! let clock = FakeClock::new();
//! let bus = QueryBus::builder()
//!     .clock(clock.clone())
//!     .layer(Timeout::new(HOUR))
//!     .register(from_async_fn(never))
//!     .build()?;
//!
//! let mut dispatch = bus.execute(Report);
//! assert_eq!(poll_once(&mut dispatch), None);
//! clock.advance(HOUR);
//! assert!(poll_once(&mut dispatch).unwrap().unwrap_err().is_timeout());
//! # Ok(())
//! # }
//! ```

mod canned;
mod recorder;

pub use crate::clock::FakeClock;
pub use recorder::Recorder;

use std::pin::Pin;
use std::task::{Context, Poll, Waker};

/// Polls a future once, without a runtime, and returns its output if it is ready. The waker does
/// nothing, so poll again once the awaited event has happened.
pub fn poll_once<F: Future + Unpin>(future: &mut F) -> Option<F::Output> {
    match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}
