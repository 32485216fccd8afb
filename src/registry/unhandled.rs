//! [`Unhandled`]: counts messages without a handler, by message type.

use std::fmt;

use crate::message::{Message, MessageType};
use crate::sync::{AtomicU64, OnceLock, Ordering};

/// Counts of the messages for which a bus has no handler.
///
/// A list with one node for each message type, which only grows. Message types belong to the
/// program, so the number of nodes is limited by the number of types. A dispatch with a handler
/// never comes here.
#[derive(Default)]
pub(crate) struct Unhandled {
    first: OnceLock<Box<Node>>,
}

struct Node {
    message: MessageType,
    /// Relaxed: a count is the word alone. No partner, no model.
    count: AtomicU64,
    next: OnceLock<Box<Node>>,
}

/// The number of dispatches of a message type that found no handler.
#[derive(Clone, Copy, Debug)]
pub(crate) struct UnhandledCount {
    pub(crate) message: MessageType,
    pub(crate) kind: &'static str,
    pub(crate) count: u64,
}

impl Unhandled {
    /// Counts one dispatch of `M`, and allocates for the first dispatch of a type.
    #[cold]
    pub(crate) fn count<M: Message>(&self) {
        let message = MessageType::of::<M>();
        let mut place = &self.first;
        loop {
            let node = place.get_or_init(|| Box::new(Node::new(message)));
            if node.message == message {
                node.count.fetch_add(1, Ordering::Relaxed);
                return;
            }
            place = &node.next;
        }
    }

    /// Returns the counts in the order of each type's first dispatch.
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
    fn new(message: MessageType) -> Self {
        Self {
            message,
            count: AtomicU64::new(0),
            next: OnceLock::new(),
        }
    }

    fn read(&self) -> UnhandledCount {
        UnhandledCount {
            message: self.message,
            kind: self.message.kind(),
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
