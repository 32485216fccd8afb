//! [`Phase`]: the progress of a dispatch when it was interrupted.

use std::fmt;

/// The progress of a dispatch at the moment when it was interrupted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// The handler did not run: nothing happened, it is safe to send the message again.
    NotStarted,
    /// The handler was running and was stopped half way, so it may or may not have acted.
    Indeterminate,
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::NotStarted => "the handler did not run",
            Self::Indeterminate => "the handler was running and may have acted",
        })
    }
}
