//! [`Unavailable`]: the default choice of the errors that a [`Fallback`](super::Fallback) replaces.

use crate::message::{Message, is_command};
use crate::middleware::ErrorPredicate;
use crate::outcome::{Error, ErrorKind};

/// Chooses the errors that mean that no reply is available for the time being: see [the module](super).
#[derive(Clone, Copy, Debug)]
pub struct Unavailable {
    /// Set if another handler runs the message.
    pub(super) runs_again: bool,
}

impl<M: Message> ErrorPredicate<M> for Unavailable {
    fn always() -> impl Iterator<Item = ErrorKind> {
        let kinds = ErrorKind::ALL.iter().copied();
        kinds.filter(|kind| kind.is_replaced())
    }

    fn matches(&self, error: &Error<M::Error>) -> bool {
        let may_act_twice = self.runs_again && is_command::<M>() && error.may_have_acted::<M>();
        ErrorKind::of::<M>(error).is_replaced() && !may_act_twice
    }
}
