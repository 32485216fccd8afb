//! `loom`'s atomics, whose orderings a model that must fail can weaken.

use std::cell::Cell;

use loom::sync::atomic as model;
pub(crate) use loom::sync::atomic::Ordering;

thread_local! {
    /// All threads of a model are run by the one thread that runs the model.
    static WEAK: Cell<bool> = const { Cell::new(false) };
}

/// Whether every atomic of this crate is accessed by `Relaxed`, for a model that must fail.
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

#[derive(Debug, Default)]
pub(crate) struct AtomicBool(model::AtomicBool);

impl AtomicBool {
    pub(crate) fn new(value: bool) -> Self {
        Self(model::AtomicBool::new(value))
    }

    #[track_caller]
    pub(crate) fn load(&self, ordering: Ordering) -> bool {
        self.0.load(unless_weak(ordering))
    }

    #[track_caller]
    pub(crate) fn store(&self, value: bool, ordering: Ordering) {
        self.0.store(value, unless_weak(ordering));
    }
}

#[derive(Debug, Default)]
pub(crate) struct AtomicUsize(model::AtomicUsize);

impl AtomicUsize {
    pub(crate) fn new(value: usize) -> Self {
        Self(model::AtomicUsize::new(value))
    }

    #[track_caller]
    pub(crate) fn load(&self, ordering: Ordering) -> usize {
        self.0.load(unless_weak(ordering))
    }

    #[track_caller]
    pub(crate) fn swap(&self, value: usize, ordering: Ordering) -> usize {
        self.0.swap(value, unless_weak(ordering))
    }

    #[track_caller]
    pub(crate) fn fetch_add(&self, value: usize, ordering: Ordering) -> usize {
        self.0.fetch_add(value, unless_weak(ordering))
    }

    #[track_caller]
    pub(crate) fn fetch_sub(&self, value: usize, ordering: Ordering) -> usize {
        self.0.fetch_sub(value, unless_weak(ordering))
    }
}
