//! Which errors a [`Fallback`](super::Fallback) replaces.

use crate::message::{Class, Command, Kind, Message};
use crate::outcome::{Error, Phase, TimeLimit};

/// The errors that say that there is no reply for the time being: see [the module](super).
#[derive(Clone, Copy, Debug)]
pub struct Unavailable;

/// Chooses the errors that are replaced.
pub trait Choice<M: Message>: Send + Sync + 'static {
    /// Those that are whenever they come, by name: for people.
    const ALWAYS: &'static [&'static str] = &[];

    /// Whether this one is; `runs_again`: by another handler's run of the message.
    fn replaces(&self, error: &Error<M::Error>, runs_again: bool) -> bool;
}

impl<M: Message> Choice<M> for Unavailable {
    const ALWAYS: &'static [&'static str] =
        &["CircuitOpen", "RateLimited", "Overloaded", "Panicked"];

    fn replaces(&self, error: &Error<M::Error>, runs_again: bool) -> bool {
        match error {
            error if runs_again && is_command::<M>() && error.is_indeterminate() => false,
            Error::Handler(error) => M::classify(error) != Class::Permanent,
            Error::Panicked { .. }
            | Error::CircuitOpen { .. }
            | Error::RateLimited { .. }
            | Error::Overloaded { .. }
            | Error::Timeout {
                phase: Phase::Indeterminate,
                limit: TimeLimit::Layer,
                ..
            } => true,
            Error::Timeout { .. }
            | Error::HandlerNotFound { .. }
            | Error::Invalid(_)
            | Error::Rejected(_)
            | Error::Cancelled { .. }
            | Error::WouldDeadlock { .. }
            | Error::InDoubt => false,
        }
    }
}

impl<M, F> Choice<M> for F
where
    M: Message,
    F: Fn(&Error<M::Error>) -> bool + Send + Sync + 'static,
{
    fn replaces(&self, error: &Error<M::Error>, _runs_again: bool) -> bool {
        self(error)
    }
}

fn is_command<M: Message>() -> bool {
    M::Kind::NAME == Command::NAME
}
