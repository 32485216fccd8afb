//! The primitives of a model build: those of `loom`, in the shape of the real ones.
//!
//! [`AtomicU64`] and [`OnceLock`] stay those of std. A context holds both and is made in a `const fn`,
//! which a modelled atomic has not; only one thread at a time uses a context, and the fake clock,
//! the other user of `AtomicU64`, takes no part in a model.

pub(crate) use loom::sync::Arc;
pub(crate) use std::sync::OnceLock;
pub(crate) use std::sync::atomic::AtomicU64;

mod atomic;
mod lock;
mod parking;
mod snapshot;

pub use atomic::weaken;
pub(crate) use atomic::{AtomicBool, AtomicUsize, Ordering};
pub(crate) use lock::{Condvar, Mutex};
pub use parking::Parking;
pub use snapshot::Published;
pub(crate) use snapshot::{Cached, Guard, Snapshot};

/// `loom`'s threads, which do not sleep: time does not pass in a model.
pub(crate) mod thread {
    pub(crate) use loom::thread::{Builder, yield_now};

    pub(crate) fn sleep(_: std::time::Duration) {
        yield_now();
    }
}

/// An `Arc` of a trait object made from a value of a type that has the trait.
macro_rules! arc_dyn {
    ($object:ty, $value:expr) => {{
        let arc: std::sync::Arc<$object> = std::sync::Arc::new($value);
        $crate::sync::Arc::from_std(arc)
    }};
}
pub(crate) use arc_dyn;
