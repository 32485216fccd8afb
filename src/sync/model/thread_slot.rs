//! Thread slots of a model, whose threads take them directly from [`Slots`](crate::sync::Slots).

/// Number of threads that can have a slot of their own.
pub(crate) const SLOTS: usize = 2;

/// Returns the slot that all threads without a slot of their own share.
pub(crate) fn thread_slot() -> usize {
    SLOTS
}
