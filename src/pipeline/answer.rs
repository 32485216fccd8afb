//! [`Answer`]: a middleware that may reply itself.

use super::{Facts, Next, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;

/// A middleware that may reply in the place of the inner service: a cache, or a switch that serves a
/// constant. [`Answered`](super::Answered) makes a middleware of it.
///
/// A message that it [finds](Look::Found) a reply for, or that it lets [pass](Look::Pass), costs no
/// `async fn` level.
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
    /// The value that a reply is made of where one is found at once. Mostly the reply itself.
    type Found: Send;

    /// A value that a message carries from [`look`](Answer::look) to [`answer`](Answer::answer).
    type Ticket: Send;

    /// Its purpose, where the order of layers matters. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// Looks for a reply to the message, without waiting.
    fn look(&self, msg: &M, cx: &Context<'_>) -> Look<Self::Found, Self::Ticket>;

    /// Makes the outcome of a reply that was found.
    fn give(found: Self::Found) -> Outcome<M>;

    /// Answers a message that no reply was found for: by running the inner service, mostly.
    fn answer(
        &self,
        ticket: Self::Ticket,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send;

    /// The worst it may do to a dispatch, for [`explain`](crate::Bus::explain), where it stands in
    /// `.wrap(..)`. Default: [`unknown`](Facts::unknown).
    fn facts(&self) -> Facts {
        Facts::unknown()
    }
}

/// The way a message takes through an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Look<F, T> {
    /// The reply is there: the inner service does not run.
    Found(F),
    /// It does not concern this message: the inner service runs as without it.
    Pass,
    /// No reply is there: [`Answer::answer`] gets the message, and this ticket.
    Missed(T),
}
