//! [`Tomb`]: how many of the routes that a change took out are still in use.

use crate::sync::{Arc, AtomicUsize, Ordering};

/// Counts the routes of one change that are not idle yet.
#[derive(Debug, Default)]
pub(crate) struct Tomb(AtomicUsize);

impl Tomb {
    /// Acquire: with the Release of [`Ticket`]'s drop, whoever sees the last one given up also sees
    /// everything the handlers' drops did. Model: `retirement`, `what_another_thread_freed_is_seen`.
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

/// One route that is not idle yet.
pub(super) struct Ticket(Arc<Tomb>);

impl Ticket {
    /// Relaxed: made under the registration lock before anybody can look; the lock is the partner of
    /// those who do. Model: `retirement`.
    pub(super) fn new(tomb: &Arc<Tomb>) -> Self {
        tomb.0.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(tomb))
    }
}

impl Drop for Ticket {
    /// Release: pairs with the Acquire in [`Tomb::is_empty`]. A chain of these is one release
    /// sequence, so the last one publishes them all. Model: `retirement`.
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Release);
    }
}
