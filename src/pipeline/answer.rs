//! [`Answer`]: a middleware that may reply itself.

use super::{Facts, Next, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;

/// A middleware that may reply in the place of the inner service: a cache, or a switch that serves a
/// constant. [`Answered`](super::Answered) adapts it to a [`Middleware`](super::Middleware).
///
/// A message for which a reply is [found](Look::Found), or which may [pass](Look::Pass), costs no `async fn`
/// level.
///
/// ```
/// use std::collections::HashMap;
/// use std::sync::Mutex;
/// use arcbus::{
///     Answer, Answered, Context, Look, Message, Next, Outcome, Query, QueryBus, Source, from_fn,
/// };
///
/// #[derive(Clone, Copy, PartialEq, Eq, Hash)]
/// struct Square(u64);
/// impl Message for Square {
///     const NAME: &'static str = "square";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
/// }
///
/// /// Keeps every square for ever.
/// #[derive(Default)]
/// struct Known(Mutex<HashMap<Square, u64>>);
///
/// impl Answer<Square> for Known {
///     type Found = u64;
///     type Ticket = ();
///
///     fn look(&self, msg: &Square, cx: &Context<'_>) -> Look<u64, ()> {
///         match self.0.lock().unwrap().get(msg) {
///             Some(square) => {
///                 cx.answered_by(Source::Cache);
///                 Look::Found(*square)
///             }
///             None => Look::Missed(()),
///         }
///     }
///
///     fn give(square: u64) -> Outcome<Square> {
///         Ok(square)
///     }
///
///     async fn answer(
///         &self,
///         (): (),
///         msg: Square,
///         cx: &Context<'_>,
///         next: &impl Next<Square>,
///     ) -> Outcome<Square> {
///         let square = next.run(msg, cx).await?;
///         self.0.lock().unwrap().insert(msg, square);
///         Ok(square)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # use std::sync::atomic::{AtomicU64, Ordering};
/// # static RUNS: AtomicU64 = AtomicU64::new(0);
/// let bus = QueryBus::builder()
///     .scope(|s| {
///         s.wrap(Answered(Known::default())).register(from_fn(|msg: Square, _: &Context<'_>| {
/// #           RUNS.fetch_add(1, Ordering::Relaxed);
///             Ok(msg.0 * msg.0)
///         }))
///     })
///     .build()?;
/// assert_eq!(bus.execute_blocking(Square(7)), Ok(49));
/// assert_eq!(bus.execute_blocking(Square(7)), Ok(49)); // from the map
/// # assert_eq!(RUNS.load(Ordering::Relaxed), 1);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` answers no message `{M}`",
    label = "`Answer<{M}>` is not implemented for `{Self}`",
    note = "write `impl Answer<{M}> for {Self}` with `type Found`, `type Ticket`, `fn look`, `fn give` and `async fn answer`"
)]
pub trait Answer<M: Message>: Send + Sync + 'static {
    /// The value from which the outcome is made when a reply is found at once, usually the reply itself.
    type Found: Send;

    /// A value that a message carries from [`look`](Answer::look) to [`answer`](Answer::answer).
    type Ticket: Send;

    /// The purpose of this middleware, which matters for the order of layers. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// Looks for a reply to the message, without waiting.
    fn look(&self, msg: &M, cx: &Context<'_>) -> Look<Self::Found, Self::Ticket>;

    /// Makes the outcome of a reply that was found.
    fn give(found: Self::Found) -> Outcome<M>;

    /// Answers a message for which no reply was found, usually by running the inner service.
    fn answer(
        &self,
        ticket: Self::Ticket,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send;

    /// Returns the worst that this middleware may do to a dispatch. Read by [`explain`](crate::Bus::explain)
    /// where the middleware stands in `.wrap(..)`. Default: [`unknown`](Facts::unknown).
    fn facts(&self) -> Facts {
        Facts::unknown()
    }
}

/// The path of a message through an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<F, T> {
    /// The reply is found, and the inner service does not run.
    Found(F),
    /// The message passes: the inner service runs as if this middleware were absent.
    Pass,
    /// No reply is found, so [`Answer::answer`] gets the message and this ticket.
    Missed(T),
}
