//! [`thread_slot`]: a slot of its own for each thread.

use std::cell::{Cell, OnceCell};
use std::sync::OnceLock;

use crate::sync::Slots;

/// How many threads can have a slot of their own at a time.
pub(crate) const SLOTS: usize = 64;

/// A thread that has asked for no slot yet.
const NONE: usize = usize::MAX;

static PROCESS: OnceLock<Slots> = OnceLock::new();

thread_local! {
    /// Without a destructor, so that reaching it takes no check.
    static SLOT: Cell<usize> = const { Cell::new(NONE) };
    /// Gives the slot back when the thread ends.
    static LEASE: OnceCell<Lease> = const { OnceCell::new() };
}

/// The slot of this thread, below [`SLOTS`]; [`SLOTS`] itself for those that found none free, who
/// share it.
#[inline]
pub(crate) fn thread_slot() -> usize {
    match SLOT.get() {
        NONE => take(),
        slot => slot,
    }
}

#[cold]
fn take() -> usize {
    // A thread that is ending has given its lease back: it shares, too.
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
