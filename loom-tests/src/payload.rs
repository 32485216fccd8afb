//! [`Payload`]: plain memory that `loom` watches.
//!
//! A room where `unsafe` is allowed. Its proof: `loom` panics at the first access that another one
//! does not order, before the memory is touched.
#![allow(unsafe_code)]

use loom::cell::UnsafeCell;

/// Plain memory: reads and writes of it that nothing orders fail the model.
#[derive(Debug)]
pub struct Payload(UnsafeCell<usize>);

// SAFETY: the model checks what the type system cannot: no write is concurrent with another access.
unsafe impl Sync for Payload {}

impl Payload {
    /// Written by the thread that calls this.
    #[must_use]
    pub fn new(value: usize) -> Self {
        let payload = Self(UnsafeCell::new(0));
        payload.set(value);
        payload
    }

    /// Reads it.
    #[must_use]
    pub fn get(&self) -> usize {
        // SAFETY: checked by the model before this runs.
        self.0.with(|value| unsafe { *value })
    }

    /// Writes it.
    pub fn set(&self, new: usize) {
        // SAFETY: checked by the model before this runs.
        self.0.with_mut(|value| unsafe { *value = new });
    }
}
