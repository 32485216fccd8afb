//! [`Gate`]: a middleware that only looks before and after.

use super::{Facts, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

/// A middleware that lets a message pass or refuses it, and looks at the outcome: the cheap kind.
/// It costs no `async fn` level and no copy of the message. [`Gated`](super::Gated) makes a
/// middleware of it.
///
/// ```
/// use std::sync::atomic::{AtomicU64, Ordering};
/// use arcbus::{Context, Error, Gate, Message, Outcome, Rejection};
///
/// /// Lets at most `limit` dispatches run at once.
/// struct AtMost {
///     limit: u64,
///     running: AtomicU64,
/// }
///
/// /// Borrows the gate, so that it costs no reference count.
/// struct Permit<'a>(&'a AtMost);
///
/// impl Drop for Permit<'_> {
///     fn drop(&mut self) {
///         self.0.running.fetch_sub(1, Ordering::Release);
///     }
/// }
///
/// impl<M: Message> Gate<M> for AtMost {
///     type Pass<'a> = Permit<'a>;
///
///     fn enter<'a>(&'a self, _msg: &M, _cx: &Context<'_>) -> Result<Permit<'a>, Error<M::Error>> {
///         let running = self.running.fetch_add(1, Ordering::Acquire);
///         let permit = Permit(self);
///         if running < self.limit { Ok(permit) } else { Err(Rejection::new("too many").into()) }
///     }
///
///     fn leave<'a>(&'a self, _permit: Permit<'a>, _outcome: &Outcome<M>, _cx: &Context<'_>) {}
/// }
/// ```
///
/// A gate that holds nothing has `type Pass<'a> = ()`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gate for the message `{M}`",
    label = "`Gate<{M}>` is not implemented for `{Self}`",
    note = "write `impl<M: Message> Gate<M> for {Self}` with `type Pass<'a>`, `fn enter` and `fn leave`"
)]
pub trait Gate<M: Message>: Send + Sync + 'static {
    /// Holds what a dispatch takes from the gate, until the handler's future is gone. It may borrow the gate.
    ///
    /// Its drop gives back what it holds, also when [`leave`](Gate::leave) is not called.
    type Pass<'a>: Send;

    /// What it is for, where the order of layers matters. Default: nothing that matters to it.
    const ROLE: Role = Role::Other;

    /// Lets the message pass, or refuses it.
    ///
    /// # Errors
    ///
    /// The error that the caller gets instead of a reply.
    fn enter<'a>(&'a self, msg: &M, cx: &Context<'_>) -> Result<Self::Pass<'a>, Error<M::Error>>;

    /// Sees the outcome of a message that passed.
    fn leave<'a>(&'a self, pass: Self::Pass<'a>, outcome: &Outcome<M>, cx: &Context<'_>);

    /// Takes back the pass of a dispatch that ended without an outcome: its future was dropped (by its
    /// caller, a deadline or a cancellation), or an inner layer panicked. Default: drops the pass.
    fn abandon<'a>(&'a self, pass: Self::Pass<'a>, _cx: &Context<'_>) {
        drop(pass);
    }

    /// Returns a guard that is held on the thread each time the inner service runs: while its future is made,
    /// in each poll, and while it is dropped. A span is entered so. Default: no guard.
    fn surround<'a>(&'a self, _pass: &Self::Pass<'a>) -> impl Sized {}

    /// Returns the worst that it may do to a dispatch, for [`explain`](crate::Bus::explain), where it stands in
    /// `.wrap(..)`. Default: it runs the inner service once, waits for nothing, and may refuse with any error.
    fn facts(&self) -> Facts {
        Facts::new().fails_with_any()
    }

    /// Returns whether it does anything: `None` does not, and is not listed.
    #[doc(hidden)]
    fn is_on(&self) -> bool {
        true
    }
}

impl<M: Message, G: Gate<M>> Gate<M> for Option<G> {
    type Pass<'a> = Option<G::Pass<'a>>;

    const ROLE: Role = G::ROLE;

    #[inline(always)]
    fn enter<'a>(&'a self, msg: &M, cx: &Context<'_>) -> Result<Self::Pass<'a>, Error<M::Error>> {
        self.as_ref().map(|gate| gate.enter(msg, cx)).transpose()
    }

    #[inline(always)]
    fn leave<'a>(&'a self, pass: Self::Pass<'a>, outcome: &Outcome<M>, cx: &Context<'_>) {
        if let (Some(gate), Some(pass)) = (self, pass) {
            gate.leave(pass, outcome, cx);
        }
    }

    #[inline(always)]
    fn abandon<'a>(&'a self, pass: Self::Pass<'a>, cx: &Context<'_>) {
        if let (Some(gate), Some(pass)) = (self, pass) {
            gate.abandon(pass, cx);
        }
    }

    #[inline(always)]
    fn surround<'a>(&'a self, pass: &Self::Pass<'a>) -> impl Sized {
        let both = self.as_ref().zip(pass.as_ref());
        both.map(|(gate, pass)| gate.surround(pass))
    }

    fn facts(&self) -> Facts {
        self.as_ref().map(G::facts).unwrap_or_default()
    }

    fn is_on(&self) -> bool {
        self.as_ref().is_some_and(G::is_on)
    }
}
