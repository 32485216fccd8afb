//! The errors of messages that do not run.

use std::fmt;

use super::IdempotencyKey;
use crate::message::Message;
use crate::outcome::Error;
use crate::outcome::Rejection;

#[cold]
pub(super) fn without_key<M: Message>(given: Option<IdempotencyKey>) -> Error<M::Error> {
    let why = match given {
        Some(_) => "the one it was sent with is blank",
        None => "has none",
    };
    let text = format!(
        "'{}' needs an idempotency key and {why}: send one, anew for each thing that is to be done",
        M::NAME
    );
    Rejection::new(text).into()
}

#[cold]
pub(super) fn conflict<M: Message>(key: &IdempotencyKey) -> Error<M::Error> {
    let text = format!(
        "the idempotency key {:?} of '{}' was first sent with another payload: send that again, or this \
         one with a new key",
        key.as_str(),
        M::NAME
    );
    Rejection::conflict(text).into()
}

#[cold]
pub(super) fn no_store<M: Message>(error: &impl fmt::Display) -> Error<M::Error> {
    let text = format!(
        "'{}' did not run: the store of its idempotency keys failed: {error}",
        M::NAME
    );
    Rejection::new(text).into()
}
