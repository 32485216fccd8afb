//! [`InvalidSetting`]: a setting that is out of range.

use std::error::Error;
use std::fmt;

/// A setting of a builder, a layer or a policy that is out of range.
///
/// ```
/// use arcbus::InvalidSetting;
///
/// let invalid = InvalidSetting::new("RateLimit.burst", "at least 1");
/// assert_eq!(
///     invalid.to_string(),
///     "setting `RateLimit.burst` is out of range: it must be at least 1"
/// );
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidSetting {
    field: &'static str,
    expected: &'static str,
}

impl InvalidSetting {
    /// `expected` completes "it must be ".
    #[must_use]
    pub const fn new(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected }
    }

    /// The setting, after the name of what it belongs to: `RateLimit.burst`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// What it must be.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// Holds the setting `field` to a range.
    ///
    /// # Errors
    ///
    /// This error, unless `holds`.
    pub const fn unless(
        holds: bool,
        field: &'static str,
        expected: &'static str,
    ) -> Result<(), Self> {
        if holds {
            Ok(())
        } else {
            Err(Self::new(field, expected))
        }
    }
}

impl fmt::Display for InvalidSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "setting `{}` is out of range: it must be {}",
            self.field, self.expected
        )
    }
}

impl Error for InvalidSetting {}
