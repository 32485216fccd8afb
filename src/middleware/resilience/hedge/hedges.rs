//! [`Hedges`]: the attempts that run beside the first.

use std::pin::Pin;
use std::task::{self, Poll};

use crate::sync::drop_caught;

/// The running hedges, which allocate when the first hedge is added.
///
/// Each hedge is dropped separately with its panic caught. If two hedges panicked in their drops, one while
/// the other unwinds, the process would abort.
pub(super) struct Hedges<G>(Vec<Pin<Box<G>>>);

impl<G> Default for Hedges<G> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<G: Future> Hedges<G> {
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }

    pub(super) fn push(&mut self, hedge: G) {
        self.0.push(Box::pin(hedge));
    }

    /// Polls a hedge, and removes the hedge once it is ready.
    pub(super) fn poll(&mut self, place: usize, task: &mut task::Context<'_>) -> Poll<G::Output> {
        let polled = self.0[place].as_mut().poll(task);
        if polled.is_ready() {
            let hedge = self.0.remove(place);
            drop_caught(|| drop(hedge));
        }
        polled
    }
}

impl<G> Drop for Hedges<G> {
    fn drop(&mut self) {
        while let Some(hedge) = self.0.pop() {
            drop_caught(|| drop(hedge));
        }
    }
}
