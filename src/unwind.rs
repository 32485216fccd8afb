//! What a panic that must not get further leaves behind.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs a drop that may panic; what such a panic leaves is leaked, for its own drop may panic again.
#[inline(always)]
pub(crate) fn drop_caught(dropping: impl FnOnce()) {
    if let Err(payload) = catch_unwind(AssertUnwindSafe(dropping)) {
        std::mem::forget(payload);
    }
}
