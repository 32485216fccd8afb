//! [`Jitter`]: the ways to spread delays.

/// A way to spread the delays of messages that failed together, so that they do not return together. Taken
/// from M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), where `Full` does the
/// least work of all and `Decorrelated` takes the least time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// No spreading: each message waits the whole delay.
    None,
    /// A random time between zero and the delay.
    Full,
    /// A random time between half of the delay and the whole delay.
    Equal,
    /// A random time between the first delay and three times the previous one. Replaces the delays that a
    /// [`Backoff`](super::Backoff) would compute without jitter.
    Decorrelated,
}

impl Jitter {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::None => "no",
            Self::Full => "full",
            Self::Equal => "equal",
            Self::Decorrelated => "decorrelated",
        }
    }
}
