//! [`Warning`]: two layers in a dangerous order.

use std::fmt;

/// A pair of layers in a dangerous order, with the reason and a better order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    pub(super) outer: &'static str,
    pub(super) inner: &'static str,
    pub(super) reason: &'static str,
    pub(super) better: &'static str,
}

impl Warning {
    /// Returns the name of the outer layer.
    #[must_use]
    pub fn outer(&self) -> &'static str {
        self.outer
    }

    /// Returns the name of the inner layer.
    #[must_use]
    pub fn inner(&self) -> &'static str {
        self.inner
    }

    /// Returns the reason why the order is dangerous.
    #[must_use]
    pub fn reason(&self) -> &'static str {
        self.reason
    }

    /// Returns the better order, as an instruction.
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
