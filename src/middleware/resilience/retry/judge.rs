//! [`Judge`]: which errors are worth another attempt.

use std::fmt;

use crate::message::Message;
use crate::outcome::Error;
use crate::outcome::{Repeatable, is_worth_repeating, may_repeat};
use crate::sync::PlainArc;

/// Whether a message is attempted again after an error.
pub trait Judge<M: Message>: Send + Sync + 'static {
    fn repeats(&self, error: &Error<M::Error>) -> bool;
}

/// By the class of the error and the kind of the message.
#[derive(Clone, Copy, Debug)]
pub struct ByClass;

impl<M: Repeatable> Judge<M> for ByClass {
    fn repeats(&self, error: &Error<M::Error>) -> bool {
        is_worth_repeating::<M>(error)
    }
}

/// A closure decides, of the errors after which another attempt is allowed at all.
pub struct Chosen<F>(pub(super) PlainArc<F>);

impl<M, F> Judge<M> for Chosen<F>
where
    M: Message,
    F: Fn(&Error<M::Error>) -> bool + Send + Sync + 'static,
{
    fn repeats(&self, error: &Error<M::Error>) -> bool {
        may_repeat::<M>(error) && (self.0)(error)
    }
}

impl<F> fmt::Debug for Chosen<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Chosen")
    }
}
