//! [`Settling`]: acts that wait until a route is registered.

use std::fmt;
use std::mem;
use std::panic::{RefUnwindSafe, UnwindSafe};

use crate::clock::Clock;
use crate::sync::Mutex;

/// An act of a layer at registration, such as setting limits by the clock of the bus.
pub(crate) type Settle = Box<dyn FnOnce(&Clock) + Send + Sync>;

/// Acts of layers that wait until their route is registered. A clone has no acts, because each runs once.
#[derive(Default)]
pub(super) struct Settling(Mutex<Vec<Settle>>);

impl Settling {
    pub(super) fn push(&self, settle: Settle) {
        self.0.lock().push(settle);
    }

    pub(super) fn take(&mut self) -> Vec<Settle> {
        mem::take(&mut *self.0.lock())
    }
}

impl Clone for Settling {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl fmt::Debug for Settling {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Settling")
    }
}

/// No code under the lock panics, so the state is consistent after any unwinding.
impl UnwindSafe for Settling {}
impl RefUnwindSafe for Settling {}
