//! A cell of plain memory whose accesses `loom` checks.
//!
//! This file may use `unsafe`, because `loom` panics at an unordered access before the memory is touched.
#![allow(unsafe_code)]

use loom::cell::UnsafeCell;

/// Plain memory, in which unordered reads and writes fail the model.
#[derive(Debug)]
pub struct Payload(UnsafeCell<usize>);

// SAFETY: in place of the type system, the model checks that no write is concurrent with another access.
unsafe impl Sync for Payload {}

impl Payload {
    /// Creates a payload that the calling thread writes.
    #[must_use]
    pub fn new(value: usize) -> Self {
        let payload = Self(UnsafeCell::new(0));
        payload.set(value);
        payload
    }

    /// Returns the value, and fails the model if a write is concurrent.
    #[must_use]
    pub fn get(&self) -> usize {
        // SAFETY: the model checks before this access runs that no other access is concurrent.
        self.0.with(|value| unsafe { *value })
    }

    /// Writes the value, and fails the model if another access is concurrent.
    pub fn set(&self, new: usize) {
        // SAFETY: the model checks before this access runs that no other access is concurrent.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}
