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
    /// Creates an error for `field`, where `expected` completes the sentence `it must be`.
    #[must_use]
    pub const fn new(field: &'static str, expected: &'static str) -> Self {
        Self { field, expected }
    }

    /// Returns the name of the setting after the name of its owner, such as `RateLimit.burst`.
    #[must_use]
    pub fn field(&self) -> &'static str {
        self.field
    }

    /// Returns the values that the setting accepts, as the end of the sentence `it must be`.
    #[must_use]
    pub fn expected(&self) -> &'static str {
        self.expected
    }

    /// Checks that the setting `field` is within its range.
    ///
    /// # Errors
    ///
    /// Returns an error with `field` and `expected` unless `holds` is true.
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
