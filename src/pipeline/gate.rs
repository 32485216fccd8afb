//! [`Gate`]: a middleware that only looks before and after.

use super::{Facts, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

/// A middleware that admits or refuses a message, and looks at the outcome. The cheapest shape: a gate costs
/// no `async fn` level and no copy of the message. [`Gated`](super::Gated) adapts it to a
/// [`Middleware`](super::Middleware).
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
    /// The resources that a dispatch takes from the gate, held until the handler's future is dropped. A pass
    /// may borrow the gate, and then costs no reference count.
    ///
    /// Dropping the pass gives those resources back, also when [`leave`](Gate::leave) is not called.
    type Pass<'a>: Send;

    /// The purpose of this gate, which matters for the order of layers. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// Lets the message pass, or refuses the message with an error.
    ///
    /// # Errors
    ///
    /// Returns the error that the caller gets instead of a reply.
    fn enter<'a>(&'a self, msg: &M, cx: &Context<'_>) -> Result<Self::Pass<'a>, Error<M::Error>>;

    /// Observes the outcome of a message that passed, and takes the pass back.
    fn leave<'a>(&'a self, pass: Self::Pass<'a>, outcome: &Outcome<M>, cx: &Context<'_>);

    /// Takes back the pass of a dispatch that ended without an outcome. Either its future was dropped (by its
    /// caller, a deadline or a cancellation), or an inner layer panicked. Default: drops the pass.
    fn abandon<'a>(&'a self, pass: Self::Pass<'a>, _cx: &Context<'_>) {
        drop(pass);
    }

    /// Returns a guard that the thread holds each time the inner service runs: while its future is made, in
    /// each poll, and during its drop. The trace layer enters its span by such a guard. Default: no guard.
    fn surround<'a>(&'a self, _pass: &Self::Pass<'a>) -> impl Sized {}

    /// Returns the worst that this gate may do to a dispatch. Read by [`explain`](crate::Bus::explain) where
    /// the gate stands in `.wrap(..)`. Default: one run of the inner service, no wait, and a refusal with any
    /// error.
    fn facts(&self) -> Facts {
        Facts::new().fails_with_any()
    }

    /// Returns whether this gate is switched on. `None` is switched off, and is not listed among the layers.
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
