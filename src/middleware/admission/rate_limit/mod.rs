//! A rate limit: bounds the messages in a time, and the messages at once.
//!
//! ```
//! use arcbus::middleware::RateLimit;
//! use arcbus::middleware::rate_limit::Rate;
//! # use arcbus::{Clock, Command, CommandBus, Message, from_fn};
//! # struct Mail;
//! # impl Message for Mail {
//! #     const NAME: &'static str = "mail";
//! #     type Kind = Command;
//! #     type Reply = ();
//! #     type Error = std::convert::Infallible;
//! # }
//!
//! let clock = Clock::new();
//! let limit = RateLimit::per_second(1).burst(2);
//! let handles = limit.handles();
//! let bus = CommandBus::builder()
//!     .clock(clock.clone())
//!     .layer(limit)
//!     .register(from_fn(|_: Mail| Ok(())))
//!     .build()?;
//!
//! assert!(bus.execute_blocking(Mail).is_ok());
//! assert!(bus.execute_blocking(Mail).is_ok());
//! let refused = bus.execute_blocking(Mail).unwrap_err();
//! assert!(refused.is_rate_limited() && refused.retry_after().is_some());
//!
//! let policy = handles.get("mail").expect("registered");
//! assert_eq!(policy.available(clock.since_origin()), 0);
//! policy.change(clock.since_origin(), Rate::per_second(5).burst(20))?;
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! There are three variants. [`RateLimit`] refuses messages beyond the rate, and
//! [`wait_at_most`](RateLimit::wait_at_most) lets them wait. [`KeyedRateLimit`] holds each key to a
//! separate limit.
//!
//! The algorithm is the generic cell rate algorithm of ATM (ITU-T I.371, annex A), in the form of the
//! governor crate. A bucket is stored as the time at which the bucket will be full again.

mod bucket;
mod keyed;
mod layer;
mod line;
mod middleware;
mod policy;
mod queue;
mod rate;
#[cfg(test)]
mod tests;

pub use keyed::{
    ByContext, ByMessage, ByRef, KeyRefused, KeySource, KeyedRateLimit, KeyedRateLimitGate,
    KeyedRateLimitPolicy,
};
pub use layer::{NoWait, RateLimit, Wait};
pub use middleware::RateLimitGate;
pub use policy::{RateLimitPolicy, Refused, Reservation};
pub use queue::RateLimitQueue;
pub use rate::Rate;
