//! The validation of a message, by the message itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::message::Message;
use crate::outcome::Error;
use crate::outcome::panicked;

/// Asks the message whether it is valid, and catches a panic of that check.
#[inline(always)]
pub(crate) fn validate<M: Message>(msg: &M) -> Result<(), Error<M::Error>> {
    match catch_unwind(AssertUnwindSafe(|| msg.validate())) {
        Ok(Ok(())) => Ok(()),
        Ok(Err(violations)) => Err(Error::Invalid(violations)),
        Err(payload) => Err(panicked(payload)),
    }
}
