//! Blocks of memory for frames, kept for the next dispatch.
//!
//! Each thread keeps up to [`LOCAL`] free blocks of each size class. Surplus blocks go to a queue
//! that all threads share, and a thread without free blocks takes from that queue before it
//! allocates. So frames that start on one thread and end on another are allocated once, and never
//! pile up. A frame larger than the largest class is allocated and freed each time.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::cell::Cell;
use std::ptr::NonNull;

use crossbeam_queue::ArrayQueue;

use crate::sync::OnceLock;

/// The size classes of blocks, in bytes, from the smallest to the largest.
const SIZES: [usize; 3] = [256, 1024, 4096];
/// The size of a cache line, so that each block starts at one.
const ALIGN: usize = 64;

/// Number of free blocks of a class that a thread keeps.
const LOCAL: usize = 8;

/// Number of free blocks of a class in the queue that all threads share.
const SHARED: usize = 128;

thread_local! {
    /// Stored without a destructor, so that an access needs no check.
    static FREE: [Stack; SIZES.len()] = const { [const { Stack::new() }; SIZES.len()] };
    /// Empties [`FREE`] when the thread ends, so that no block is lost.
    static CLOSER: Closer = const { Closer };
}

static QUEUES: OnceLock<[ArrayQueue<Block>; SIZES.len()]> = OnceLock::new();

/// Takes a block of memory for `layout` from this thread, from other threads or from the allocator.
#[inline(always)]
pub(super) fn take(layout: Layout) -> NonNull<()> {
    let local = class_of(layout).and_then(|class| FREE.with(|free| free[class].pop()));
    local.unwrap_or_else(|| take_elsewhere(layout))
}

/// Takes a block of memory back, for the next frame of its class.
///
/// # Safety
///
/// `block` came from [`take`] with this `layout`, and is not used again.
#[inline(always)]
pub(super) unsafe fn give(block: NonNull<()>, layout: Layout) {
    let kept = class_of(layout).is_some_and(|class| FREE.with(|free| free[class].push(block)));
    if !kept {
        give_elsewhere(block, layout);
    }
}

/// Returns the class of a frame of `layout`, if there is one.
#[inline(always)]
const fn class_of(layout: Layout) -> Option<usize> {
    // A sanitizer detects the use of a returned block only if the block was freed.
    if cfg!(arcbus_asan) || layout.align() > ALIGN {
        return None;
    }
    let mut class = 0;
    while class < SIZES.len() {
        if layout.size() <= SIZES[class] {
            return Some(class);
        }
        class += 1;
    }
    None
}

/// Returns the layout that is actually allocated for a frame of `layout`.
fn block_layout(layout: Layout) -> Layout {
    match class_of(layout) {
        Some(class) => Layout::from_size_align(SIZES[class], ALIGN).expect("a small power of two"),
        None => layout,
    }
}

fn queues() -> &'static [ArrayQueue<Block>; SIZES.len()] {
    QUEUES.get_or_init(|| SIZES.map(|_| ArrayQueue::new(SHARED)))
}

#[cold]
fn take_elsewhere(layout: Layout) -> NonNull<()> {
    open();
    let shared = class_of(layout).and_then(|class| queues()[class].pop());
    if let Some(block) = shared {
        return block.0;
    }
    let layout = block_layout(layout);
    // SAFETY: a frame holds at least a context, so the size is not zero.
    let memory = unsafe { alloc(layout) };
    NonNull::new(memory.cast()).unwrap_or_else(|| handle_alloc_error(layout))
}

#[cold]
fn give_elsewhere(block: NonNull<()>, layout: Layout) {
    let refused = match class_of(layout) {
        Some(class) => queues()[class].push(Block(block)).err(),
        None => Some(Block(block)),
    };
    if let Some(block) = refused {
        // SAFETY: allocated by `take_elsewhere` with this layout, and without another owner.
        unsafe { dealloc(block.0.as_ptr().cast(), block_layout(layout)) };
    }
}

/// A free block on its way between threads.
struct Block(NonNull<()>);

// SAFETY: a free block is plain memory with one owner.
unsafe impl Send for Block {}

/// The free blocks of one class on one thread.
struct Stack {
    blocks: [Cell<Option<NonNull<()>>>; LOCAL],
    len: Cell<usize>,
    /// Number of blocks to keep. 0 unless the thread's [`CLOSER`] will take them over.
    room: Cell<usize>,
}

impl Stack {
    const fn new() -> Self {
        Self {
            blocks: [const { Cell::new(None) }; LOCAL],
            len: Cell::new(0),
            room: Cell::new(0),
        }
    }

    #[inline(always)]
    fn pop(&self) -> Option<NonNull<()>> {
        let last = self.len.get().checked_sub(1)?;
        let block = self.blocks.get(last)?.get();
        self.len.set(last);
        block
    }

    /// Keeps `block` for this thread, unless the thread has enough blocks of this class.
    #[inline(always)]
    fn push(&self, block: NonNull<()>) -> bool {
        let len = self.len.get();
        if len >= self.room.get() {
            return false;
        }
        let Some(place) = self.blocks.get(len) else {
            return false;
        };
        place.set(Some(block));
        self.len.set(len + 1);
        true
    }
}

/// Lets this thread keep blocks, unless the thread is ending.
fn open() {
    if CLOSER.try_with(|_| ()).is_ok() {
        set_room(LOCAL);
    }
}

fn set_room(room: usize) {
    FREE.with(|free| free.iter().for_each(|stack| stack.room.set(room)));
}

struct Closer;

impl Drop for Closer {
    /// Leaves the thread's free blocks to the other threads.
    fn drop(&mut self) {
        set_room(0);
        FREE.with(|free| {
            for (size, stack) in SIZES.into_iter().zip(free) {
                let layout = Layout::from_size_align(size, ALIGN).expect("a small power of two");
                while let Some(block) = stack.pop() {
                    give_elsewhere(block, layout);
                }
            }
        });
    }
}
