//! [`Tomb`]: counts the routes removed by a change that are still in use.

use crate::sync::{Arc, AtomicUsize, Ordering};

/// Number of routes of one change that are not idle yet.
#[derive(Debug, Default)]
pub(crate) struct Tomb(AtomicUsize);

impl Tomb {
    /// Acquire: pairs with the Release in the drop of [`Ticket`]. A reader that sees the last
    /// ticket given up also sees everything that the handlers' drops did. Model: `retirement`,
    /// `what_another_thread_freed_is_seen`.
    pub(super) fn is_empty(&self) -> bool {
        self.0.load(Ordering::Acquire) == 0
    }
}

/// A share of the count, for one route that is not idle yet.
pub(super) struct Ticket(Arc<Tomb>);

impl Ticket {
    /// Relaxed: made under the registration lock before any reader can look. That lock is the
    /// partner of the readers. Model: `retirement`.
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
