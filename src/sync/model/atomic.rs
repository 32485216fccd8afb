//! The atomics of `loom`, with orderings that can be weakened for a model that must fail.

use std::cell::Cell;

use loom::sync::atomic as model;
pub(crate) use loom::sync::atomic::Ordering;

thread_local! {
    /// A thread-local is enough, because one thread runs all threads of a model.
    static WEAK: Cell<bool> = const { Cell::new(false) };
}

/// Selects whether every atomic of this crate uses `Relaxed`, for a model that must fail.
pub fn weaken(weak: bool) {
    WEAK.set(weak);
}

fn unless_weak(ordering: Ordering) -> Ordering {
    if WEAK.get() {
        Ordering::Relaxed
    } else {
        ordering
    }
}

/// A fence, which a weakened model leaves out.
#[track_caller]
pub(crate) fn fence(ordering: Ordering) {
    if !WEAK.get() {
        model::fence(ordering);
    }
}

macro_rules! atomic {
    ($name:ident: $value:ty $(, $operation:ident)*) => {
        #[derive(Debug, Default)]
        pub(crate) struct $name(model::$name);

        #[allow(dead_code, reason = "each has what the others have")]
        impl $name {
            pub(crate) fn new(value: $value) -> Self {
                Self(model::$name::new(value))
            }

            #[track_caller]
            pub(crate) fn load(&self, ordering: Ordering) -> $value {
                self.0.load(unless_weak(ordering))
            }

            #[track_caller]
            pub(crate) fn store(&self, value: $value, ordering: Ordering) {
                self.0.store(value, unless_weak(ordering));
            }

            #[track_caller]
            pub(crate) fn compare_exchange(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                let (success, failure) = (unless_weak(success), unless_weak(failure));
                self.0.compare_exchange(current, new, success, failure)
            }

            /// Never fails spuriously, because a spurious failure would only repeat the caller's
            /// loop.
            #[track_caller]
            pub(crate) fn compare_exchange_weak(
                &self,
                current: $value,
                new: $value,
                success: Ordering,
                failure: Ordering,
            ) -> Result<$value, $value> {
                self.compare_exchange(current, new, success, failure)
            }

            $(
                #[track_caller]
                pub(crate) fn $operation(&self, value: $value, ordering: Ordering) -> $value {
                    self.0.$operation(value, unless_weak(ordering))
                }
            )*
        }
    };
}

atomic!(AtomicBool: bool, swap);
atomic!(AtomicU64: u64, swap, fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max);
atomic!(AtomicUsize: usize, swap, fetch_add, fetch_sub, fetch_or, fetch_and, fetch_max);
