//! The derives and `#[handlers]`: each option, by what the bus does with it.

#![cfg(feature = "derive")]
// Messages here carry fields that no handler reads.
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
