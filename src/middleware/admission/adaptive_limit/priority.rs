//! [`Priority`]: who is refused first.

/// How important a message is: a value of its [`Context`](crate::Context), set by who sends it.
/// [`AdaptiveLimit`](super::AdaptiveLimit) lets each kind use a part of its limit, so that what is less
/// important is refused first as utilisation rises.
///
/// | priority | part of the limit |
/// |---|---|
/// | `Background` | 50 % |
/// | `Low` | 75 % |
/// | `Normal`, and without one | 87.5 % |
/// | `Critical` | all |
///
/// Rounded up, so that a limit of one lets each kind in. The part is of all that are in flight,
/// whatever their own priority. A limit that is found counts only what enters: where all messages are
/// `Normal` it settles a little higher, and loses nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Priority {
    /// Nobody waits for it: it can be done later.
    Background,
    /// Somebody waits who can do without.
    Low,
    /// What most are.
    #[default]
    Normal,
    /// What the rest is refused for.
    Critical,
}

impl Priority {
    /// The part of the limit that it may use, in sixteenths.
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
