//! [`Routes`]: the state that a layer keeps for each message type, across replacements of the handler.

use std::any::Any;
use std::fmt;

use crate::pipeline::Tie;
use crate::sync::{Mutex, PlainArc};
use crate::type_map::TypeMap;

/// Holds one value of each type, which clones share.
#[derive(Clone, Default)]
pub(super) struct Routes {
    kept: PlainArc<Mutex<TypeMap>>,
    /// Ties the buses to one clock, because records hold moments of that clock.
    tie: Tie,
}

impl Routes {
    /// Returns the value of type `T`, made on the first call. `make` runs under the lock, so that only one
    /// value is made. Therefore `make` must not run user code, nor call this type again.
    pub(super) fn get_or_make<T: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<PlainArc<T>, E> {
        let mut kept = self.kept.lock();
        if let Some(known) = kept.get::<PlainArc<T>>() {
            return Ok(PlainArc::clone(known));
        }
        let made = PlainArc::new(make()?);
        let _none = kept.insert(PlainArc::clone(&made));
        Ok(made)
    }

    pub(super) fn tie(&self) -> &Tie {
        &self.tie
    }
}

impl fmt::Debug for Routes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The writer is user code, so the lock is released before writing.
        let len = self.kept.lock().len();
        write!(f, "Routes({len})")
    }
}
