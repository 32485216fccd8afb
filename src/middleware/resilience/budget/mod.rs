//! [`Budget`]: how many repeats a service is worth, so that an outage is not made worse by them.
//!
//! Where every caller repeats a failed message twice, a backend that is down gets three times its load,
//! at the moment when it can bear it least. A budget lets through a share of the messages: each first
//! attempt pays in its [`ratio`](Budget::new), each repeat takes one out. So in the long run there are at
//! most `1 + ratio` attempts a message, whatever fails. A [minimum](Budget::minimum_per_second) a second
//! comes on top, without which a service with few messages could never repeat one.
//!
//! ```
//! use std::time::Duration;
//! use arcbus::middleware::Budget;
//!
//! let budget = Budget::new(0.5).minimum_per_second(0).burst(1);
//! let now = Duration::from_secs(60);
//! assert!(budget.try_take(now)); // it begins full
//! assert!(!budget.try_take(now));
//! budget.deposit();
//! budget.deposit();
//! assert!(budget.try_take(now)); // two messages are worth one repeat
//! assert_eq!(budget.exhausted(), 1);
//! ```
//!
//! One budget can be given to several layers and routes: clones share it, as callers share a backend. Buses
//! with different clocks cannot: their seconds are not the same.
//!
//! The idea is that of Finagle's [`RetryBudget`](https://twitter.github.io/finagle/guide/Clients.html),
//! the bucket that begins full that of [gRPC's retry throttling][grpc]; the minimum is a rate limit by the
//! generic cell rate algorithm ([`rate_limit`](crate::middleware::rate_limit)).
//!
//! [grpc]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
//!
//! # What it costs
//!
//! A first attempt reads one word while the budget is full, and writes nothing: threads whose messages
//! do not fail share no written memory. What is missing is paid in by a compare-and-swap a message.

mod handle;
mod savings;
mod settings;
mod withdrawal;

pub use handle::Budget;
pub(crate) use withdrawal::Withdrawal;
