//! [`Routes`]: what a layer keeps of each message type, whatever becomes of the handler.

use std::any::Any;
use std::fmt;

use crate::pipeline::Tie;
use crate::sync::{Mutex, PlainArc};
use crate::type_map::TypeMap;

/// One value of each type; clones share them.
#[derive(Clone, Default)]
pub(super) struct Routes {
    kept: PlainArc<Mutex<TypeMap>>,
    /// Records have moments of a clock.
    tie: Tie,
}

impl Routes {
    /// The value of type `T`, made if there is none. `make` runs under the lock, so that there is one
    /// alone: nothing of a user's, and nothing that comes back here.
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
        // What writes is user code.
        let len = self.kept.lock().len();
        write!(f, "Routes({len})")
    }
}
