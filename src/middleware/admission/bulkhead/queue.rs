//! [`BulkheadQueue`]: the middleware of a bulkhead with a queue.

use std::fmt;
use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::middleware::overloaded;
use super::{BulkheadPolicy, Permit};
use crate::clock::Due;
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Error;
use crate::pipeline::Enqueue;
use crate::sync::PlainArc;

/// A bulkhead whose messages wait for a permit. Made by [`Bulkhead::queue`](super::Bulkhead::queue) for
/// a route.
pub struct BulkheadQueue {
    pub(super) policy: PlainArc<BulkheadPolicy>,
    /// The longest wait in nanoseconds.
    max_wait: u64,
}

impl BulkheadQueue {
    pub(super) fn new(policy: PlainArc<BulkheadPolicy>, max_wait: u64) -> Self {
        Self { policy, max_wait }
    }

    /// Joins the queue and waits there. Returns `None` if the queue is full, or if the time is over
    /// before a permit comes.
    ///
    /// A permit that has come is taken even after the longest wait, unless the deadline has passed. A
    /// message that would be late in any case is not begun.
    async fn permit(&self, cx: &Context<'_>) -> Option<Permit<'_>> {
        let now = cx.entry_tick();
        let until = now.saturating_add(self.max_wait).min(cx.expiry_tick());
        if until <= now {
            return None;
        }
        let mut turn = self.policy.join()?;
        let mut end = Due::new(until);
        let permit = poll_fn(|task| match turn.poll(task.waker()) {
            Some(permit) => Poll::Ready(Some(permit)),
            None => match end.poll(cx.clock(), task.waker()) {
                Some(_) => Poll::Ready(None),
                None => Poll::Pending,
            },
        });
        let permit = permit.await?;
        (cx.waited() < cx.expiry_tick()).then_some(permit)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Enqueue<M> for BulkheadQueue {
    type Pass<'a> = Permit<'a>;
    type Ticket = ();

    #[inline(always)]
    fn try_enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<Permit<'_>, ()> {
        self.policy.try_acquire().ok_or(())
    }

    async fn wait(&self, (): (), cx: &Context<'_>) -> Result<Permit<'_>, Error<M::Error>> {
        let permit = self.permit(cx).await;
        permit.ok_or_else(|| overloaded(&self.policy))
    }
}

impl fmt::Debug for BulkheadQueue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BulkheadQueue")
            .field("policy", &self.policy)
            .field("max_wait", &Duration::from_nanos(self.max_wait))
            .finish()
    }
}
