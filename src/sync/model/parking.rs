//! [`Parking`]: a [`Parker`] that the models can use.

use std::task::Waker;

use crate::sync::Parker;

/// A place where a thread waits for a waker, which is a [`Parker`].
#[derive(Default)]
pub struct Parking(Parker);

impl Parking {
    /// Creates a place where no waiter was woken yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Returns a waker for the thread that waits here.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.0.waker()
    }

    /// Blocks the thread until the waker is used.
    pub fn park(&self) {
        self.0.park();
    }
}

impl std::fmt::Debug for Parking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parking").finish_non_exhaustive()
    }
}
