//! [`Budget`]: a limit on repeats, so that they do not make an outage worse.
//!
//! Where every caller repeats a failed message twice, a failing backend gets three times its load, at the
//! moment when it can bear the least. A budget allows repeats for a share of the messages: each first attempt
//! pays in its [`ratio`](Budget::new), and each repeat withdraws one. So in the long run there are at most
//! `1 + ratio` attempts per message, however many fail. A [minimum](Budget::minimum_per_second) per second
//! comes on top, because a service with few messages could never repeat one otherwise.
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
//! Several layers and routes can use one budget: clones share it, as callers share a backend. Buses with
//! different clocks cannot share one, because their seconds differ.
//!
//! The idea comes from Finagle's [`RetryBudget`](https://twitter.github.io/finagle/guide/Clients.html), and
//! the bucket that starts full from [gRPC's retry throttling][grpc]. The minimum is a rate limit by the
//! generic cell rate algorithm ([`rate_limit`](crate::middleware::rate_limit)).
//!
//! [grpc]: https://github.com/grpc/proposal/blob/master/A6-client-retries.md#throttling-retry-attempts-and-hedged-rpcs
//!
//! # Cost
//!
//! A first attempt reads one word while the budget is full, and writes nothing, so threads whose messages
//! succeed share no written memory. When the budget is not full, each message pays in with a
//! compare-and-swap.

mod handle;
mod savings;
mod settings;
mod withdrawal;

pub use handle::Budget;
pub(crate) use withdrawal::Withdrawal;
