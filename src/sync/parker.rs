//! [`Parker`]: parks a thread until a waker is used.

use std::sync::Arc;
use std::task::{Wake, Waker};

use super::fork_safe::{Condvar, Mutex};

/// Parks the calling thread until the parker's waker is used. The thread's own park token is not
/// used, because user code may consume that one.
#[derive(Default)]
pub(crate) struct Parker(Arc<Inner>);

#[derive(Default)]
struct Inner {
    woken: Mutex<bool>,
    wake: Condvar,
}

impl Parker {
    pub(crate) fn new() -> Self {
        Self::default()
    }

    pub(crate) fn waker(&self) -> Waker {
        Waker::from(Arc::clone(&self.0))
    }

    /// Returns once the waker was used since the last return.
    pub(crate) fn park(&self) {
        let mut woken = self.0.woken.lock();
        while !*woken {
            woken = self.0.wake.wait(woken);
        }
        *woken = false;
    }
}

impl Wake for Inner {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        *self.woken.lock() = true;
        self.wake.notify_one();
    }
}
