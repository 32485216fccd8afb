//! The primitives of a normal build.

pub(crate) use std::sync::atomic::{
    AtomicBool, AtomicU64, AtomicU64 as PlainU64, AtomicUsize, Ordering, fence,
};
pub(crate) use std::sync::{Arc, Arc as PlainArc, OnceLock, Weak as PlainWeak};
pub(crate) use std::thread;

pub(crate) mod fork_safe;
mod snapshot;
mod thread_slot;
pub(crate) use parking_lot::{Mutex, MutexGuard, RwLock};
pub(crate) use snapshot::{Cached, Guard, Snapshot};
pub(crate) use thread_slot::{SLOTS, thread_slot};

/// Creates an `Arc` of a trait object from a value that implements the trait.
macro_rules! arc_dyn {
    ($object:ty, $value:expr) => {{
        let arc: $crate::sync::Arc<$object> = $crate::sync::Arc::new($value);
        arc
    }};
}
pub(crate) use arc_dyn;
