//! [`ByClass`]: the default choice of the errors that are worth another attempt.

use crate::middleware::ErrorPredicate;
use crate::outcome::{Error, Repeatable, is_worth_repeating};

/// Chooses by the class of the error and the kind of the message: see [the module](super).
#[derive(Clone, Copy, Debug)]
pub struct ByClass;

impl<M: Repeatable> ErrorPredicate<M> for ByClass {
    fn matches(&self, error: &Error<M::Error>) -> bool {
        is_worth_repeating::<M>(error)
    }
}
