//! [`panicked`]: makes the error of a dispatch from a caught panic.

use std::any::Any;

use super::Error;
use crate::sync::drop_caught;

/// Returns the error of a caught panic. A payload whose own drop panics is leaked.
#[cold]
pub(crate) fn panicked<E>(payload: Box<dyn Any + Send>) -> Error<E> {
    let message = payload
        .downcast_ref::<&'static str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("no message")
        .into();
    drop_caught(|| drop(payload));
    Error::Panicked { message }
}
