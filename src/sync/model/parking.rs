//! [`Parking`]: the [`Parker`] itself, for the models.

use std::task::Waker;

use crate::sync::Parker;

/// A thread's place to wait for a waker: a [`Parker`].
#[derive(Default)]
pub struct Parking(Parker);

impl Parking {
    /// A place nobody was woken at.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Wakes whoever waits here.
    #[must_use]
    pub fn waker(&self) -> Waker {
        self.0.waker()
    }

    /// Waits for the waker.
    pub fn park(&self) {
        self.0.park();
    }
}

impl std::fmt::Debug for Parking {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Parking").finish_non_exhaustive()
    }
}
