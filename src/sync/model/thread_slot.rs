//! The slots of the threads of a model, which take them from [`Slots`](crate::sync::Slots) themselves.

/// How many threads can have a slot of their own.
pub(crate) const SLOTS: usize = 2;

/// What all threads share that have none.
pub(crate) fn thread_slot() -> usize {
    SLOTS
}
