//! Containment of panics that must not spread.

use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::task::Waker;

/// Runs a drop that may panic. The payload of a panic is leaked, because its own drop may panic
/// again.
#[inline(always)]
pub(crate) fn drop_caught(dropping: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(dropping)) {
        std::mem::forget(payload);
    }
}

/// Returns what `work` returns. If `work` panics, runs `undone` and lets the panic go on.
pub(crate) fn unless_done<T>(work: impl FnOnce() -> T, undone: impl FnOnce()) -> T {
    catch_unwind(AssertUnwindSafe(work)).unwrap_or_else(|payload| {
        undone();
        resume_unwind(payload)
    })
}

/// Wakes the waker and catches its panic, which must not keep other waiters from being woken.
pub(crate) fn wake_caught(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        drop_caught(|| drop(payload));
    }
}
