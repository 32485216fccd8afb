//! [`Jitter`]: how delays are spread.

/// How the delays of messages that failed together are spread, so that they do not come back together.
/// By M. Brooker, "Exponential Backoff And Jitter" (AWS Architecture Blog, 2015), where `Full` does the
/// least work of all and `Decorrelated` takes the least time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Jitter {
    /// Not at all: each waits the whole delay.
    None,
    /// Anywhere between nothing and the delay.
    Full,
    /// Anywhere between half of the delay and the delay.
    Equal,
    /// Anywhere between the first delay and three times the one before: in the place of the delays that
    /// a [`Backoff`](super::Backoff) has by itself.
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
