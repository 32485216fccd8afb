//! [`Enqueue`]: a middleware that lets messages wait for their turn.

use super::{Facts, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Error;

/// A middleware that runs the inner service at once if there is room, and after a wait otherwise: a queue in
/// front of a limited backend. [`Enqueued`](super::Enqueued) adapts it to a
/// [`Middleware`](super::Middleware).
///
/// A message that passes at once costs no `async fn` level and no copy of the message.
///
/// ```
/// use arcbus::{Context, Enqueue, Enqueued, Error, Message, Query, QueryBus, Rejection, from_fn};
/// use tokio::sync::{Semaphore, SemaphorePermit};
///
/// struct Connections(Semaphore);
///
/// impl<M: Message> Enqueue<M> for Connections {
///     type Pass<'a> = SemaphorePermit<'a>;
///     type Ticket = ();
///
///     fn try_enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<SemaphorePermit<'_>, ()> {
///         self.0.try_acquire().map_err(drop)
///     }
///
///     async fn wait(&self, (): (), _cx: &Context<'_>) -> Result<SemaphorePermit<'_>, Error<M::Error>> {
///         self.0.acquire().await.map_err(|_| Rejection::new("the pool is closed").into())
///     }
/// }
///
/// struct Count;
/// impl Message for Count {
///     const NAME: &'static str = "count";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder()
///     .wrap(Enqueued(Connections(Semaphore::new(2))))
///     .register(from_fn(|_: Count, _: &Context<'_>| Ok(7)))
///     .build()?;
/// assert_eq!(bus.execute_blocking(Count), Ok(7));
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a queue for the message `{M}`",
    label = "`Enqueue<{M}>` is not implemented for `{Self}`",
    note = "write `impl<M: Message> Enqueue<M> for {Self}` with `type Pass<'a>`, `type Ticket`, `fn try_enter` and `async fn wait`"
)]
pub trait Enqueue<M: Message>: Send + Sync + 'static {
    /// The permit held while the handler runs, and until the handler's future is dropped. Dropping the permit
    /// gives back its resources, also when the dispatch is dropped half way or the inner service panics.
    type Pass<'a>: Send
    where
        Self: 'a;

    /// A value that a message carries from [`try_enter`](Enqueue::try_enter) to [`wait`](Enqueue::wait).
    type Ticket: Send;

    /// The purpose of this middleware, which matters for the order of layers. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// Lets the message pass at once, or returns the ticket to [wait](Enqueue::wait) with.
    ///
    /// # Errors
    ///
    /// Returns the ticket of a message that cannot pass now.
    fn try_enter(&self, msg: &M, cx: &Context<'_>) -> Result<Self::Pass<'_>, Self::Ticket>;

    /// Waits for the turn of a message, or refuses the message. The adapter calls this method at most once
    /// for each ticket.
    ///
    /// The adapter drops this future when the dispatch is cancelled or dropped, and the drop gives up the
    /// place in the queue. A cancelled message ends in [`Cancelled`](Error::Cancelled). A message whose time
    /// is over when its turn comes ends in [`Timeout`](Error::Timeout). Both errors have
    /// [`Phase::NotStarted`](crate::Phase::NotStarted), because the handler did not run.
    ///
    /// # Errors
    ///
    /// Returns the error that the caller gets instead of a reply: the queue is full, or the wait was too
    /// long.
    fn wait(
        &self,
        ticket: Self::Ticket,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<Self::Pass<'_>, Error<M::Error>>> + Send;

    /// Returns the worst that this middleware may do to a dispatch. Read by [`explain`](crate::Bus::explain)
    /// where the middleware stands in `.wrap(..)`. Default: one run of the inner service, waits as long as
    /// the caller allows, and a refusal with any error.
    fn facts(&self) -> Facts {
        Facts::new()
            .waits(std::time::Duration::MAX)
            .fails_with_any()
    }
}
