//! A circuit breaker: stops calling what fails, and tries again after a while.
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
//! [`Verdict`](crate::Verdict) says what is a success and what a failure. What is neutral counts neither way, and
//! gives a probe back: what was refused, and what its caller ended, by its deadline, by a token, or because it
//! dropped the future. For the breaker a [`Timeout`](crate::middleware::Timeout) further out is a caller, too. A hasty
//! caller says nothing about the backend, and must not keep out a patient one.
//!
//! So a backend that hangs opens a breaker in two ways: by a `Timeout` inside the breaker, whose own limit is a
//! failure; and by callers that had the patience for [`slow_after`](CircuitBreaker::slow_after). The `Timeout`
//! is the better one, for it does not depend on the callers.
//!
//! A failure or a slow call opens a breaker, or the call with which the
//! [minimum](CircuitBreaker::minimum_calls) is reached; never a good call by itself, whatever leaves the
//! window.
//!
//! The states are those of Nygard ("Release It!", 2007); rates, minimum, slow calls and most defaults
//! follow resilience4j and Polly.

mod layer;
mod middleware;
mod policy;

pub use layer::CircuitBreaker;
pub use middleware::CircuitBreakerGate;
pub use policy::{
    Admission, CircuitBreakerPolicy, Limits, Reading, Refused, State, Transition, Window,
};
