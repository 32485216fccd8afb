//! [`Levels`]: the levels at which the ends of dispatches are reported.

use tracing::Level;

use crate::outcome::ErrorKind;

#[derive(Clone, Copy, Debug)]
pub(super) struct Levels {
    /// The level of replies, which is also that of spans.
    pub(super) reply: Level,
    pub(super) refusal: Level,
    pub(super) failure: Level,
}

impl Levels {
    pub(super) fn of(self, kind: ErrorKind) -> Level {
        match kind {
            ErrorKind::Panicked => Level::ERROR,
            kind if kind.is_fault() => self.failure,
            _ => self.refusal,
        }
    }
}
