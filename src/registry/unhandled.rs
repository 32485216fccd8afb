//! [`Unhandled`]: the messages of a bus that found no handler, counted by type.

use std::any::TypeId;
use std::fmt;

use crate::message::{Kind, Message, MessageType};
use crate::sync::{AtomicU64, OnceLock, Ordering};

/// Counts of the messages that a bus has no handler for.
///
/// A list with one node a message type, which only grows: a message type is in the program, so there are
/// no more nodes than types. A dispatch that finds a handler never comes here.
#[derive(Default)]
pub(crate) struct Unhandled {
    first: OnceLock<Box<Node>>,
}

struct Node {
    id: TypeId,
    message: MessageType,
    kind: &'static str,
    /// Relaxed: a count is the word alone. No partner, no model.
    count: AtomicU64,
    next: OnceLock<Box<Node>>,
}

/// How often a message type found no handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnhandledCount {
    pub(crate) message: MessageType,
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
}

impl Unhandled {
    /// Counts one dispatch of `M`. Allocates for the first one of a type.
    #[cold]
    pub(crate) fn count<M: Message>(&self) {
        let id = TypeId::of::<M>();
        let mut place = &self.first;
        loop {
            let node = place.get_or_init(|| Box::new(Node::new::<M>()));
            if node.id == id {
                node.count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            place = &node.next;
        }
    }

    /// The counts in the order in which the types first came.
    pub(crate) fn counts(&self) -> Vec<UnhandledCount> {
        let first = self.first.get();
        let nodes = std::iter::successors(first, |node| node.next.get());
        nodes.map(|node| node.read()).collect()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.first.get().is_none()
    }
}

impl Node {
    fn new<M: Message>() -> Self {
        Self {
            id: TypeId::of::<M>(),
            message: MessageType::of::<M>(),
            kind: M::Kind::NAME,
            count: AtomicU64::new(0),
            next: OnceLock::new(),
        }
    }

    fn read(&self) -> UnhandledCount {
        UnhandledCount {
            message: self.message,
            kind: self.kind,
            count: self.count.load(Ordering::Relaxed),
        }
    }
}

impl fmt::Debug for Unhandled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let counts = self.counts();
        let entries = counts.iter().map(|it| (it.message.name(), it.count));
        f.debug_map().entries(entries).finish()
    }
}
