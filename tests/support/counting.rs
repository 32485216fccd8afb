//! A global allocator that counts allocations and frees of each thread.
#![allow(unsafe_code, reason = "a global allocator is an unsafe trait")]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;

/// The system's allocator, with a counter of each kind for every thread.
pub(crate) struct Counting;

/// The number of blocks or bytes that a thread has allocated and freed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) allocated: u64,
    pub(crate) freed: u64,
}

pub(crate) const NOTHING: Count = Count {
    allocated: 0,
    freed: 0,
};

thread_local! {
    static ALLOCATED: Cell<u64> = const { Cell::new(0) };
    static FREED: Cell<u64> = const { Cell::new(0) };
    static BYTES_ALLOCATED: Cell<u64> = const { Cell::new(0) };
    static BYTES_FREED: Cell<u64> = const { Cell::new(0) };
}

/// Counts the blocks that this thread allocates and frees in `work`.
pub(crate) fn count(work: impl FnOnce()) -> Count {
    let (allocated, freed) = (ALLOCATED.get(), FREED.get());
    work();
    Count {
        allocated: ALLOCATED.get() - allocated,
        freed: FREED.get() - freed,
    }
}

/// Counts the bytes that this thread allocates and frees in `work`.
#[allow(dead_code, reason = "each test uses a part of this module")]
pub(crate) fn count_bytes(work: impl FnOnce()) -> Count {
    let (allocated, freed) = (BYTES_ALLOCATED.get(), BYTES_FREED.get());
    work();
    Count {
        allocated: BYTES_ALLOCATED.get() - allocated,
        freed: BYTES_FREED.get() - freed,
    }
}

type Counter = std::thread::LocalKey<Cell<u64>>;

fn add(count: &'static Counter, bytes: &'static Counter, size: usize) {
    // The counters of a thread that is ending may already be gone.
    let _ = count.try_with(|count| count.set(count.get() + 1));
    let _ = bytes.try_with(|bytes| bytes.set(bytes.get() + size as u64));
}

// SAFETY: every call goes to the system's allocator unchanged. The counters are constants without a
// destructor, so counting allocates nothing.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        add(&ALLOCATED, &BYTES_ALLOCATED, layout.size());
        // SAFETY: the caller promises a valid layout.
        unsafe { System.alloc(layout) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        add(&ALLOCATED, &BYTES_ALLOCATED, layout.size());
        // SAFETY: the caller promises a valid layout.
        unsafe { System.alloc_zeroed(layout) }
    }

    unsafe fn realloc(&self, block: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        add(&ALLOCATED, &BYTES_ALLOCATED, size);
        add(&FREED, &BYTES_FREED, layout.size());
        // SAFETY: the caller promises a block of this allocator with this layout, and a valid size.
        unsafe { System.realloc(block, layout, size) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        add(&FREED, &BYTES_FREED, layout.size());
        // SAFETY: the caller promises a block of this allocator with this layout.
        unsafe { System.dealloc(block, layout) }
    }
}
