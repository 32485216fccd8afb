//! What a panic that must not get further leaves behind.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::task::Waker;

/// Runs a drop that may panic; what such a panic leaves is leaked, for its own drop may panic again.
#[inline(always)]
pub(crate) fn drop_caught(dropping: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(dropping)) {
        std::mem::forget(payload);
    }
}

/// Wakes; a waker that panics must not keep others from being woken.
pub(crate) fn wake_caught(waker: Waker) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(|| waker.wake())) {
        drop_caught(|| drop(payload));
    }
}
