//! [`Words`]: two words that change together, for the models.

use crate::sync::Versioned;

/// A pair of words, like the limits of a policy.
#[derive(Debug)]
pub struct Words(Versioned<2>);

impl Words {
    /// Creates the first version.
    #[must_use]
    pub fn new(words: [u64; 2]) -> Self {
        Self(Versioned::new(words))
    }

    /// Returns the words of a single version.
    #[must_use]
    pub fn read(&self) -> [u64; 2] {
        self.0.read()
    }

    /// Adds one to each word.
    pub fn bump(&self) {
        self.0.update(|words| words.map(|word| word + 1));
    }
}
