//! [`RateLimit`]: so many messages in so much time.
//!
//! ```
//! use arcbus::middleware::RateLimit;
//! use arcbus::{Command, CommandBus, Context, FakeClock, Message, from_fn};
//! use std::time::Duration;
//!
//! struct Send;
//! impl Message for Send {
//!     const NAME: &'static str = "send";
//!     type Kind = Command;
//!     type Reply = ();
//!     type Error = String;
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let clock = FakeClock::new();
//! let limit = RateLimit::per_second(10).burst(1);
//! let handles = limit.handles();
//! let bus = CommandBus::builder()
//!     .clock(clock.clone())
//!     .layer(limit)
//!     .register(from_fn(|_: Send, _: &Context<'_>| Ok(())))
//!     .build()?;
//! assert_eq!(bus.execute_blocking(Send), Ok(()));
//! let refused = bus.execute_blocking(Send).unwrap_err();
//! assert_eq!(refused.retry_after(), Some(Duration::from_millis(100)));
//!
//! let policy = handles.get("send").expect("registered");
//! policy.set_quota(policy.quota().burst(2))?;
//! assert_eq!(bus.execute_blocking(Send), Ok(()));
//! # Ok(())
//! # }
//! ```

mod gate;
mod keyed;
mod layer;
mod policy;
mod quota;
mod waiting;

pub use gate::RateLimitGate;
pub use keyed::{ByRef, ByValue, KeyedRateLimit, KeyedRateLimitGate, KeyedRateLimitPolicy, Select};
pub use layer::{RateLimit, WaitingRateLimit};
pub use policy::{NotNow, RateLimitPolicy};
pub use quota::Quota;
pub use waiting::WaitingRateLimitMiddleware;
