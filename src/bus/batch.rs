//! Batches: many messages of one type in a single call.

use std::future::poll_fn;
use std::task::Poll;

use super::Bus;
use super::execute::{Execute, Root, Target, block};
use crate::message::{Kind, Message, Same};
use crate::outcome::Outcome;
use crate::registry::{Pinned, Store, Typed};

/// Number of messages after which a batch yields to other tasks.
const TURN: usize = 64;

impl<K: Kind> Bus<K> {
    /// Dispatches `msgs` one after the other, through the route that is registered when the batch
    /// begins, and returns the outcomes in that order. Yields to other tasks every 64 messages.
    ///
    /// # Errors
    ///
    /// Each outcome may be an error of [`execute`](Bus::execute). A failure does not stop the
    /// batch.
    ///
    /// ```
    /// # use arcbus::{Context, Message, Query, QueryBus, from_fn};
    /// # struct Double(u64);
    /// # impl Message for Double {
    /// #     const NAME: &'static str = "double";
    /// #     type Kind = Query;
    /// #     type Reply = u64;
    /// #     type Error = std::convert::Infallible;
    /// # }
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// let bus = QueryBus::builder()
    ///     .register(from_fn(|msg: Double, _cx: &Context<'_>| Ok(msg.0 * 2)))
    ///     .build()?;
    /// let replies = bus.execute_batch_blocking((1..4).map(Double));
    /// assert_eq!(replies, [Ok(2), Ok(4), Ok(6)]);
    /// # Ok(())
    /// # }
    /// ```
    pub async fn execute_batch<M>(
        &self,
        msgs: impl IntoIterator<Item = M, IntoIter: Send>,
    ) -> Vec<Outcome<M>>
    where
        M: Message<Kind: Same<K>>,
    {
        let msgs = msgs.into_iter();
        let route = self.pin();
        let mut outcomes = Vec::with_capacity(msgs.size_hint().0);
        for (index, msg) in msgs.enumerate() {
            if index % TURN == TURN - 1 {
                yield_now().await;
            }
            let target = PinnedTarget {
                route: route.as_ref(),
                store: self.store(),
            };
            outcomes.push(Execute::new(target, msg, Root).await);
        }
        outcomes
    }

    /// Dispatches `msgs` like [`execute_batch`](Bus::execute_batch), but on this thread and without
    /// yielding.
    ///
    /// # Errors
    ///
    /// Each outcome may be an error of [`execute_blocking`](Bus::execute_blocking).
    pub fn execute_batch_blocking<M>(&self, msgs: impl IntoIterator<Item = M>) -> Vec<Outcome<M>>
    where
        M: Message<Kind: Same<K>>,
    {
        let msgs = msgs.into_iter();
        let route = self.pin();
        let mut outcomes = Vec::with_capacity(msgs.size_hint().0);
        for msg in msgs {
            let target = PinnedTarget {
                route: route.as_ref(),
                store: self.store(),
            };
            outcomes.push(block(target, msg, Root));
        }
        outcomes
    }

    fn pin<M: Message>(&self) -> Option<Pinned<M>> {
        self.store().table().load().get::<M>().map(Typed::pin)
    }
}

/// A target with a route that a batch holds until its end.
struct PinnedTarget<'a, M: Message> {
    route: Option<&'a Pinned<M>>,
    store: &'a Store,
}

impl<'a, M: Message> Target<'a, M> for PinnedTarget<'a, M> {
    type Held<'h>
        = Option<&'h Pinned<M>>
    where
        Self: 'h;

    fn store(&self) -> &'a Store {
        self.store
    }

    #[inline(always)]
    fn hold(&mut self) -> Self::Held<'_> {
        self.route
    }
}

async fn yield_now() {
    let mut yielded = false;
    poll_fn(|task| {
        if std::mem::replace(&mut yielded, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}
