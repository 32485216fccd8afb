//! Replies that a recorder was given, by message type.

use std::any::{Any, TypeId};
use std::collections::{HashMap, VecDeque};

use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::sync::PlainArc;

pub(super) type Answers<M> = dyn Fn(&M, &Context<'_>) -> Outcome<M> + Send + Sync;

/// The next reply to a message, either canned or made by a closure of the test.
pub(super) enum Next<M: Message> {
    Canned(Outcome<M>),
    /// Called while nothing is locked, because the closure is code of the test.
    Ask(PlainArc<Answers<M>>),
}

/// The remaining replies to one message type, in the order in which they are used.
struct Replies<M: Message> {
    canned: VecDeque<Outcome<M>>,
    then: Option<PlainArc<Answers<M>>>,
}

impl<M: Message> Default for Replies<M> {
    fn default() -> Self {
        Self {
            canned: VecDeque::new(),
            then: None,
        }
    }
}

impl<M: Message> Replies<M> {
    fn next(&mut self) -> Option<Next<M>> {
        let canned = self.canned.pop_front().map(Next::Canned);
        canned.or_else(|| self.then.clone().map(Next::Ask))
    }
}

/// [`Replies`] with the message type erased.
trait Erased: Send {
    fn left(&self) -> (&'static str, usize);
    fn as_any(&mut self) -> &mut dyn Any;
}

impl<M: Message> Erased for Replies<M> {
    fn left(&self) -> (&'static str, usize) {
        (M::NAME, self.canned.len())
    }

    fn as_any(&mut self) -> &mut dyn Any {
        self
    }
}

#[derive(Default)]
pub(super) struct Canned(HashMap<TypeId, Box<dyn Erased>>);

impl Canned {
    fn of<M: Message>(&mut self) -> &mut Replies<M> {
        let replies = self.0.entry(TypeId::of::<M>());
        let replies = replies.or_insert_with(|| Box::new(Replies::<M>::default()));
        let replies = replies.as_any().downcast_mut();
        replies.expect("filed under its type")
    }

    pub(super) fn push<M: Message>(&mut self, outcome: Outcome<M>) {
        self.of::<M>().canned.push_back(outcome);
    }

    /// Sets the closure for further replies, and returns the former one, which the caller drops
    /// while nothing is locked.
    pub(super) fn then<M: Message>(
        &mut self,
        answers: PlainArc<Answers<M>>,
    ) -> Option<PlainArc<Answers<M>>> {
        self.of::<M>().then.replace(answers)
    }

    pub(super) fn next<M: Message>(&mut self) -> Option<Next<M>> {
        self.of::<M>().next()
    }

    /// Returns the number of unused canned replies by the name of their message.
    pub(super) fn left(&self) -> Vec<(&'static str, usize)> {
        let left = self.0.values().map(|replies| replies.left());
        let mut left: Vec<_> = left.filter(|(_, count)| *count > 0).collect();
        left.sort_unstable();
        left
    }
}
