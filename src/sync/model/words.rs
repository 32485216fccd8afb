//! [`Words`]: two words that are changed together, for the models.

use crate::sync::Versioned;

/// The policies' pair of limits.
#[derive(Debug)]
pub struct Words(Versioned<2>);

impl Words {
    /// The first version.
    #[must_use]
    pub fn new(words: [u64; 2]) -> Self {
        Self(Versioned::new(words))
    }

    /// The words of one version.
    #[must_use]
    pub fn read(&self) -> [u64; 2] {
        self.0.read()
    }

    /// Adds one to each.
    pub fn bump(&self) {
        self.0.update(|words| words.map(|word| word + 1));
    }
}
