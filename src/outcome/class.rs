//! [`Class`]: says whether a handler's error may pass on another attempt.

use super::kind::ErrorKind;

/// Says whether a handler's error may pass on another attempt. See
/// [`Message::classify`](crate::Message::classify).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A passing error: another attempt can succeed, and many such errors mean trouble at the
    /// backend.
    Transient,
    /// A lasting error: another attempt with an equal message fails in this way, too.
    Permanent,
    /// An error that the message does not classify. Policies stay careful: a breaker counts such an
    /// error, and a retry repeats queries but no commands.
    Unclassified,
    /// The error of a nested dispatch, by which the outer dispatch is judged. [`Class::nested`] and
    /// [`Classify`](crate::Classify) create this class.
    Nested {
        /// The kind of the nested error, which counts for the outer dispatch, too.
        kind: ErrorKind,
        /// True if the nested handler may have acted although nobody knows. The outer handler may
        /// then have acted, too.
        may_have_acted: bool,
    },
}

impl Class {
    /// Returns the kind of a handler's error that has this class.
    pub(crate) fn kind(self) -> ErrorKind {
        match self {
            Self::Transient => ErrorKind::Transient,
            Self::Permanent => ErrorKind::Permanent,
            Self::Unclassified => ErrorKind::Unclassified,
            Self::Nested { kind, .. } => kind.handed_on(),
        }
    }

    pub(crate) fn may_have_acted(self) -> bool {
        matches!(
            self,
            Self::Nested {
                may_have_acted: true,
                ..
            }
        )
    }
}
