//! The primitives of a model build: those of `loom`, with the interface of the real ones.
//!
//! [`PlainU64`] and [`OnceLock`] come from std. A context holds them and is created in a
//! `const fn`, which a modelled atomic does not offer. Only one thread at a time uses a context.
//! The other users of `PlainU64` are tallies, which order nothing. The counts of [`PlainArc`] take no
//! part in a model either.

pub(crate) use loom::sync::Arc;
pub(crate) use std::sync::atomic::AtomicU64 as PlainU64;
pub(crate) use std::sync::{Arc as PlainArc, OnceLock, Weak as PlainWeak};

mod atomic;
mod lock;
mod parking;
mod snapshot;
mod thread_slot;
mod words;

pub use atomic::weaken;
pub(crate) use atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering, fence};
pub(crate) use lock::{Mutex, MutexGuard, RwLock};
pub use parking::Parking;
pub use snapshot::Published;
pub(crate) use snapshot::{Cached, Guard, Snapshot};
pub(crate) use thread_slot::{SLOTS, thread_slot};
pub use words::Words;

/// A model does not fork, so a single kind of lock serves both purposes.
pub(crate) mod fork_safe {
    pub(crate) use super::lock::{Condvar, Mutex, MutexGuard};
}

/// The threads of `loom`, which do not sleep, because time does not pass in a model.
pub(crate) mod thread {
    pub(crate) use loom::thread::{Builder, yield_now};

    pub(crate) fn sleep(_: std::time::Duration) {
        yield_now();
    }
}

/// Creates an `Arc` of a trait object from a value that implements the trait.
macro_rules! arc_dyn {
    ($object:ty, $value:expr) => {{
        let arc: std::sync::Arc<$object> = std::sync::Arc::new($value);
        $crate::sync::Arc::from_std(arc)
    }};
}
pub(crate) use arc_dyn;
