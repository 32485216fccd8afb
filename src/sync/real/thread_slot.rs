//! [`thread_slot`]: a slot of its own for each thread.

use std::cell::{Cell, OnceCell};
use std::sync::OnceLock;

use crate::sync::Slots;

/// Number of threads that can have a slot of their own at a time.
pub(crate) const SLOTS: usize = 64;

/// The value of a thread that has not asked for a slot yet.
const NONE: usize = usize::MAX;

static PROCESS: OnceLock<Slots> = OnceLock::new();

thread_local! {
    /// Stored without a destructor, so that an access needs no check.
    static SLOT: Cell<usize> = const { Cell::new(NONE) };
    /// A lease that gives the slot back when the thread ends.
    static LEASE: OnceCell<Lease> = const { OnceCell::new() };
}

/// Returns the slot of this thread, below [`SLOTS`]. Threads that found no free slot share
/// [`SLOTS`] itself.
#[inline]
pub(crate) fn thread_slot() -> usize {
    match SLOT.get() {
        NONE => take(),
        slot => slot,
    }
}

#[cold]
fn take() -> usize {
    // A thread that is ending has given its lease back, and therefore uses the shared slot.
    let leased = LEASE.try_with(|lease| lease.get_or_init(Lease::take).0);
    let slot = leased.unwrap_or(SLOTS);
    SLOT.set(slot);
    slot
}

struct Lease(usize);

impl Lease {
    fn take() -> Self {
        Self(slots().take())
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        SLOT.set(SLOTS);
        slots().give_back(self.0);
    }
}

fn slots() -> &'static Slots {
    PROCESS.get_or_init(|| Slots::new(SLOTS))
}
