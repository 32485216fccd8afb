//! [`Routes`]: what a layer keeps of each message type, whatever becomes of the handler.

use std::any::Any;
use std::fmt;

use smallvec::SmallVec;

use crate::pipeline::Tie;
use crate::sync::{Mutex, PlainArc};

/// One value of each type; clones share them.
#[derive(Clone, Default)]
pub(super) struct Routes {
    kept: PlainArc<Mutex<SmallVec<[Kept; 1]>>>,
    /// Records have moments of a clock.
    tie: Tie,
}

type Kept = PlainArc<dyn Any + Send + Sync>;

impl Routes {
    /// The value of type `T`, made if there is none. `make` runs under the lock, so that there is one
    /// alone: nothing of a user's, and nothing that comes back here.
    pub(super) fn get_or_make<T: Any + Send + Sync, E>(
        &self,
        make: impl FnOnce() -> Result<T, E>,
    ) -> Result<PlainArc<T>, E> {
        let mut kept = self.kept.lock();
        let mut known = kept.iter().cloned();
        if let Some(known) = known.find_map(|known| known.downcast::<T>().ok()) {
            return Ok(known);
        }
        drop(known);
        let made = PlainArc::new(make()?);
        kept.push(PlainArc::clone(&made) as Kept);
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
