//! The circuit breaker: against a model, and around handlers.

mod model;
mod property;
