//! [`Priority`]: the importance of a message, which decides the order of refusals.

/// The importance of a message, a value of its [`Context`](crate::Context) that the sender sets. Each
/// priority may use a part of the limit of an [`AdaptiveLimit`](super::AdaptiveLimit). As utilisation
/// rises, less important messages are therefore refused first.
///
/// | priority | part of the limit |
/// |---|---|
/// | `Background` | 50 % |
/// | `Low` | 75 % |
/// | `Normal`, and without one | 87.5 % |
/// | `Critical` | all |
///
/// The part is rounded up, so that a limit of one lets each priority in. The part applies to all
/// dispatches in flight, whatever their own priority. An adaptive limit counts only admitted dispatches.
/// Where all messages are `Normal`, the limit settles a little higher and nothing is lost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// No user waits for the message, which can be done later.
    Background,
    /// A user waits, but can do without the reply.
    Low,
    /// The priority of most messages.
    #[default]
    Normal,
    /// The priority for which other messages are refused first.
    Critical,
}

impl Priority {
    /// Returns the part of the limit that this priority may use, in sixteenths.
    #[inline]
    pub(super) fn sixteenths(self) -> u64 {
        match self {
            Self::Background => 8,
            Self::Low => 12,
            Self::Normal => 14,
            Self::Critical => 16,
        }
    }
}
