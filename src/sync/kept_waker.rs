//! [`KeptWaker`]: a copy of a waker, stored until needed.

use std::task::Waker;

use crate::sync::{drop_caught, wake_caught};

/// A copy of a waker, stored until it is woken or no longer needed.
///
/// A waker is user code. A panic of its `wake` or its drop is caught here. A panic of its clone
/// goes to the caller, so every copy is made before the first of them is stored anywhere. None of
/// the three may run under a lock.
pub(crate) struct KeptWaker(Option<Waker>);

impl KeptWaker {
    /// An empty value, which wakes nobody.
    pub(crate) const NONE: Self = Self(None);

    pub(crate) fn of(waker: &Waker) -> Self {
        Self(Some(waker.clone()))
    }

    /// Returns whether this copy and `waker` wake one task. Runs no user code.
    pub(crate) fn will_wake(&self, waker: &Waker) -> bool {
        self.0.as_ref().is_some_and(|kept| kept.will_wake(waker))
    }

    pub(crate) fn wake(self) {
        if let Some(waker) = self.into_waker() {
            wake_caught(waker);
        }
    }

    pub(crate) fn into_waker(mut self) -> Option<Waker> {
        self.0.take()
    }
}

impl Drop for KeptWaker {
    fn drop(&mut self) {
        if let Some(waker) = self.0.take() {
            drop_caught(|| drop(waker));
        }
    }
}
