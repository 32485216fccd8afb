//! Which errors a [`Fallback`](super::Fallback) replaces.

use std::iter;

use crate::message::{Message, is_command};
use crate::outcome::{Error, ErrorKind};

/// The errors that say that there is no reply for the time being: see [the module](super).
#[derive(Clone, Copy, Debug)]
pub struct Unavailable;

/// Chooses the errors that are replaced.
pub trait Choice<M: Message>: Send + Sync + 'static {
    /// Returns the kinds that are replaced whenever they come.
    fn always() -> impl Iterator<Item = ErrorKind>;

    /// Whether this one is; `runs_again`: by another handler's run of the message.
    fn replaces(&self, error: &Error<M::Error>, runs_again: bool) -> bool;
}

impl<M: Message> Choice<M> for Unavailable {
    fn always() -> impl Iterator<Item = ErrorKind> {
        ErrorKind::ALL
            .iter()
            .copied()
            .filter(|kind| kind.is_replaced())
    }

    fn replaces(&self, error: &Error<M::Error>, runs_again: bool) -> bool {
        let may_act_twice = runs_again && is_command::<M>() && error.may_have_acted::<M>();
        ErrorKind::of::<M>(error).is_replaced() && !may_act_twice
    }
}

impl<M, F> Choice<M> for F
where
    M: Message,
    F: Fn(&Error<M::Error>) -> bool + Send + Sync + 'static,
{
    fn always() -> impl Iterator<Item = ErrorKind> {
        iter::empty()
    }

    fn replaces(&self, error: &Error<M::Error>, _runs_again: bool) -> bool {
        self(error)
    }
}
