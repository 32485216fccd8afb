//! Which outcomes are kept: replies, or errors as well.

use crate::bounds::ReplyClone;
use crate::message::{Class, Message};
use crate::outcome::{Error, Outcome, TimeLimit};

/// What a layer keeps of an outcome.
pub trait Keep<M: Message>: Send + Sync + 'static {
    type Value: Clone + Send + Sync + 'static;
    /// `None` if it is not to be kept.
    fn keep(outcome: &Outcome<M>) -> Option<Self::Value>;
    fn give(value: Self::Value) -> Outcome<M>;
    /// Whether it is a reply.
    fn is_reply(value: &Self::Value) -> bool;
}

/// Replies alone.
#[derive(Debug)]
pub struct Replies;

/// Replies, and such errors of the handler as another run would end in, too.
#[derive(Debug)]
pub struct Errors;

impl<M: Message<Reply: ReplyClone>> Keep<M> for Replies {
    type Value = M::Reply;

    fn keep(outcome: &Outcome<M>) -> Option<M::Reply> {
        outcome.as_ref().ok().cloned()
    }

    #[inline(always)]
    fn give(value: M::Reply) -> Outcome<M> {
        Ok(value)
    }

    #[inline(always)]
    fn is_reply(_: &M::Reply) -> bool {
        true
    }
}

impl<M: Message<Reply: ReplyClone, Error: ReplyClone>> Keep<M> for Errors {
    type Value = Result<M::Reply, M::Error>;

    fn keep(outcome: &Outcome<M>) -> Option<Self::Value> {
        match outcome {
            Ok(reply) => Some(Ok(reply.clone())),
            Err(Error::Handler(error)) if M::classify(error) != Class::Transient => {
                Some(Err(error.clone()))
            }
            Err(_) => None,
        }
    }

    #[inline(always)]
    fn give(value: Self::Value) -> Outcome<M> {
        value.map_err(Error::Handler)
    }

    #[inline(always)]
    fn is_reply(value: &Self::Value) -> bool {
        value.is_ok()
    }
}

/// Whether a stale reply is better than this error. It is not where the error says something of the
/// message or its caller.
pub(super) fn may_be_replaced<M: Message>(error: &Error<M::Error>) -> bool {
    match error {
        Error::Handler(error) => M::classify(error) != Class::Permanent,
        Error::HandlerNotFound { .. }
        | Error::Invalid(_)
        | Error::Rejected(_)
        | Error::Cancelled { .. }
        | Error::WouldDeadlock { .. }
        | Error::InDoubt => false,
        Error::Timeout { limit, .. } => *limit == TimeLimit::Layer,
        Error::CircuitOpen { .. }
        | Error::RateLimited { .. }
        | Error::Overloaded { .. }
        | Error::Panicked { .. } => true,
    }
}
