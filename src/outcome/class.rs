//! [`Class`]: what a handler's error says about trying again.

use super::kind::ErrorKind;

/// What a handler's error says about trying again: see [`Message::classify`](crate::Message::classify).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// It may pass: another try can succeed, and too many of them mean trouble at the other end.
    Transient,
    /// It stays: another try of the same message fails the same way.
    Permanent,
    /// The message does not say. Policies take the careful side: a breaker counts it, a query's
    /// retry repeats it, a command's does not.
    Unclassified,
    /// It carries the error of a nested dispatch, by which the outer one is judged. [`Class::nested`] and
    /// [`Classify`](crate::Classify) make it.
    Nested {
        /// The kind of that error.
        kind: ErrorKind,
        /// Whether the nested handler may have acted although nobody knows. Then the outer one may have, too.
        may_have_acted: bool,
    },
}

impl Class {
    /// Returns the kind of a handler's error of this class.
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
