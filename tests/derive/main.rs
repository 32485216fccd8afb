//! The derives and `#[handlers]`: checks each option by its effect on the bus.

#![cfg(feature = "derive")]
// The messages here carry fields that no handler reads.
#![allow(dead_code)]

#[cfg(feature = "garde")]
mod by_garde;
mod cacheable;
mod classify;
mod functions;
mod idempotency;
mod message;
mod paths;
mod services;
