//! Selects the outcomes that are kept: replies alone, or errors as well.

use crate::bounds::ReplyClone;
use crate::message::Message;
use crate::outcome::{Class, Error, Outcome};

/// Selects the part of an outcome that a layer keeps.
pub trait Keep<M: Message>: Send + Sync + 'static {
    type Value: Clone + Send + Sync + 'static;
    /// Returns the value to keep, or `None` for an outcome that is not kept.
    fn keep(outcome: &Outcome<M>) -> Option<Self::Value>;
    fn give(value: Self::Value) -> Outcome<M>;
    /// Returns whether `value` is a reply.
    fn is_reply(value: &Self::Value) -> bool;
}

/// Keeps replies alone.
#[derive(Debug)]
pub struct Replies;

/// Keeps replies, and also errors of the handler that another run would repeat.
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
            Err(Error::Handler(error)) => match M::classify(error) {
                Class::Permanent | Class::Unclassified => Some(Err(error.clone())),
                Class::Transient | Class::Nested { .. } => None,
            },
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
