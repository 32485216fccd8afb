//! [`Recover`]: a middleware that acts on an error.

use super::{Facts, Next, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

/// A middleware that acts on an error of the inner service: runs the service again, asks another backend, or
/// converts the error. [`Recovered`](super::Recovered) adapts it to a [`Middleware`](super::Middleware).
///
/// A message that succeeds costs only the part that is [kept](Recover::keep), and no `async fn` level.
///
/// ```
/// use std::io;
/// use arcbus::{Context, Error, Message, Next, Outcome, Query, QueryBus, Recover, Recovered, from_fn};
///
/// /// Runs a query once more where no permit, token or circuit was to be had.
/// struct OnceMore;
///
/// impl<M: Message<Kind = Query> + Clone> Recover<M> for OnceMore {
///     type Kept = M;
///     type Plan<'a> = ();
///
///     fn keep(&self, msg: &M) -> M {
///         msg.clone()
///     }
///
///     fn plan(&self, error: &Error<M::Error>, _cx: &Context<'_>) -> Option<()> {
///         (!error.is_indeterminate()).then_some(())
///     }
///
///     async fn recover(
///         &self,
///         (): (),
///         msg: M,
///         _error: Error<M::Error>,
///         cx: &Context<'_>,
///         next: &impl Next<M>,
///     ) -> Outcome<M> {
///         next.run(msg, cx).await
///     }
/// }
///
/// # use std::sync::atomic::{AtomicU64, Ordering};
/// #[derive(Clone)]
/// struct Count;
/// impl Message for Count {
///     const NAME: &'static str = "count";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = io::Error;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let calls = AtomicU64::new(0);
/// let bus = QueryBus::builder()
///     .wrap(Recovered::new(OnceMore))
///     .register(from_fn(move |_: Count, _: &Context<'_>| match calls.fetch_add(1, Ordering::Relaxed) {
///         0 => Err(io::ErrorKind::ConnectionReset.into()),
///         calls => Ok(calls),
///     }))
///     .build()?;
/// assert_eq!(bus.execute_blocking(Count)?, 1);
/// # Ok(())
/// # }
/// ```
///
/// Run a command again only if the command cannot act twice. That holds if its error is not
/// [indeterminate](Error::is_indeterminate), or if the message is [`Idempotent`](crate::Idempotent).
#[diagnostic::on_unimplemented(
    message = "`{Self}` recovers no message `{M}`",
    label = "`Recover<{M}>` is not implemented for `{Self}`",
    note = "write `impl<M: Message> Recover<M> for {Self}` with `type Kept`, `type Plan<'a>`, `fn keep`, `fn plan` and `async fn recover`"
)]
pub trait Recover<M: Message>: Send + Sync + 'static {
    /// The part of each message that is kept, because the handler takes the message itself. `()` keeps
    /// nothing.
    type Kept: Send;

    /// The decision how to recover from an error, made before the recovery begins: a permit to repeat, or
    /// `()`.
    type Plan<'a>: Send
    where
        Self: 'a;

    /// The purpose of this middleware, which matters for the order of layers. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// Keeps the necessary part of a message, once for each message, before the inner service runs.
    fn keep(&self, msg: &M) -> Self::Kept;

    /// Decides whether to recover from the error, or to give the error to the caller (`None`).
    fn plan<'a>(&'a self, error: &Error<M::Error>, cx: &Context<'_>) -> Option<Self::Plan<'a>>;

    /// Makes the outcome that replaces the error for the caller, which may be the error itself.
    fn recover<'a>(
        &'a self,
        plan: Self::Plan<'a>,
        kept: Self::Kept,
        error: Error<M::Error>,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send;

    /// Returns the worst that this middleware may do to a dispatch. Read by [`explain`](crate::Bus::explain)
    /// where the middleware stands in `.wrap(..)`. Default: [`unknown`](Facts::unknown).
    fn facts(&self) -> Facts {
        Facts::unknown()
    }
}
