//! A circuit breaker: stops calling a failing backend, and tries again after a while.
//!
//! ```
//! use std::io;
//! use std::time::Duration;
//! use arcbus::middleware::circuit_breaker::{CircuitBreaker, State};
//! # use arcbus::{CommandBus, Command, Message, FakeClock, from_fn};
//! # struct Pay;
//! # impl Message for Pay {
//! #     const NAME: &'static str = "pay";
//! #     type Kind = Command;
//! #     type Reply = ();
//! #     type Error = io::Error;
//! # }
//!
//! let breaker = CircuitBreaker::time_window(Duration::from_secs(10))
//!     .failure_rate(0.3)
//!     .slow_calls(Duration::from_secs(2), 0.8)
//!     .minimum_calls(2)
//!     .on_transition(|change| println!("{change}"));
//! let handles = breaker.handles();
//! let bus = CommandBus::builder()
//!     .layer(breaker)
//!     .register(from_fn(|_: Pay| Err(io::ErrorKind::ConnectionRefused.into())))
//!     .build()?;
//!
//! let _ = bus.execute_blocking(Pay);
//! let _ = bus.execute_blocking(Pay);
//! assert!(bus.execute_blocking(Pay).unwrap_err().is_circuit_open());
//!
//! let policy = handles.get("pay").expect("registered");
//! assert_eq!(policy.state(), State::Open);
//! policy.reset();
//! # Ok::<(), arcbus::RegistrationError>(())
//! ```
//!
//! [`Verdict`](crate::Verdict) defines success and failure. A neutral outcome counts neither way, and gives a
//! probe back for another call. Rejected calls are neutral, and so are calls that their caller ended by a
//! deadline, by a token, or by dropping the future. For the breaker a [`Timeout`](crate::middleware::Timeout)
//! further out is a caller, too. A hasty caller says nothing about the backend, and must not keep out a
//! patient one.
//!
//! So a backend that hangs opens a breaker in two ways. A `Timeout` inside the breaker turns the hang into a
//! failure by its own limit, and so do callers that had the patience for
//! [`slow_after`](CircuitBreaker::slow_after). The `Timeout` is the better way, because it does not depend on
//! the callers.
//!
//! A breaker opens at a failure or a slow call, or at the call that reaches the
//! [minimum](CircuitBreaker::minimum_calls). A good call never opens a breaker by itself, whichever calls
//! leave the window.
//!
//! The states come from Nygard ("Release It!", 2007). Rates, minimum, slow calls and most defaults follow
//! resilience4j and Polly.

mod layer;
mod middleware;
mod policy;

pub use layer::CircuitBreaker;
pub use middleware::CircuitBreakerGate;
pub use policy::{
    Admission, CircuitBreakerPolicy, Limits, Reading, Refused, State, Transition, Window,
};
