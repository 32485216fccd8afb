//! [`Warning`]: two layers in a dangerous order.

use std::fmt;

/// Two layers that stand in a dangerous order, why, and which order is better.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    pub(super) outer: &'static str,
    pub(super) inner: &'static str,
    pub(super) reason: &'static str,
    pub(super) better: &'static str,
}

impl Warning {
    /// The name of the layer that stands further out.
    #[must_use]
    pub fn outer(&self) -> &'static str {
        self.outer
    }

    /// The name of the layer that stands further in.
    #[must_use]
    pub fn inner(&self) -> &'static str {
        self.inner
    }

    /// Why the order is dangerous.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// What to do.
    #[must_use]
    pub fn better(&self) -> &'static str {
        self.better
    }
}

impl fmt::Display for Warning {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            outer,
            inner,
            reason,
            better,
        } = self;
        write!(f, "`{outer}` outside `{inner}`: {reason}. Better: {better}")
    }
}
