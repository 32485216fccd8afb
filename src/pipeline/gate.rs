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
/// use arcbus::{Context, Error, Gate, Message, Outcome};
///
/// #[derive(Default)]
/// struct InFlight(AtomicU64);
///
/// impl<M: Message> Gate<M> for InFlight {
///     type Pass = ();
///
///     fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
///         self.0.fetch_add(1, Ordering::Relaxed);
///         Ok(())
///     }
///
///     fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {
///         self.0.fetch_sub(1, Ordering::Relaxed);
///     }
/// }
/// ```
///
/// That one leaks a count when the dispatch is dropped half way: what must be given back belongs
/// into [`Pass`](Gate::Pass), whose drop always runs.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a gate for the message `{M}`",
    label = "`Gate<{M}>` is not implemented for `{Self}`",
    note = "write `impl<M: Message> Gate<M> for {Self}` with `type Pass`, `fn enter` and `fn leave`"
)]
pub trait Gate<M: Message>: Send + Sync + 'static {
    /// Held while the handler runs, and until its future is gone. Its drop gives back what it holds,
    /// also when the dispatch is dropped half way (by its caller, a deadline, a cancellation) or the
    /// rest of the pipeline panics; then [`leave`](Gate::leave) is not called.
    type Pass: Send;

    /// What it is for, where the order of layers matters. Default: nothing that matters to it.
    const ROLE: Role = Role::Other;

    /// Lets the message pass, or refuses it.
    ///
    /// # Errors
    ///
    /// Whatever the caller is to get instead of a reply.
    fn enter(&self, msg: &M, cx: &Context<'_>) -> Result<Self::Pass, Error<M::Error>>;

    /// Sees the outcome of a message that passed.
    fn leave(&self, pass: Self::Pass, outcome: &Outcome<M>, cx: &Context<'_>);

    /// What it may do to a dispatch at worst, for [`explain`](crate::Bus::explain), where it stands in
    /// `.wrap(..)`. Default: it runs the rest once, waits for nothing, and may refuse with any error.
    fn facts(&self) -> Facts {
        Facts::new().fails_with_any()
    }

    /// Whether it does anything: `None` does not, and is not listed.
    #[doc(hidden)]
    fn is_on(&self) -> bool {
        true
    }
}

impl<M: Message, G: Gate<M>> Gate<M> for Option<G> {
    type Pass = Option<G::Pass>;

    const ROLE: Role = G::ROLE;

    #[inline(always)]
    fn enter(&self, msg: &M, cx: &Context<'_>) -> Result<Self::Pass, Error<M::Error>> {
        self.as_ref().map(|gate| gate.enter(msg, cx)).transpose()
    }

    #[inline(always)]
    fn leave(&self, pass: Self::Pass, outcome: &Outcome<M>, cx: &Context<'_>) {
        if let (Some(gate), Some(pass)) = (self, pass) {
            gate.leave(pass, outcome, cx);
        }
    }

    fn facts(&self) -> Facts {
        self.as_ref().map(G::facts).unwrap_or_default()
    }

    fn is_on(&self) -> bool {
        self.as_ref().is_some_and(G::is_on)
    }
}

/// What a pipeline enters: a borrowed gate, or something else whose pass may borrow, from that or from
/// the context. A pass that does costs no reference count.
pub(crate) trait Entry<'c, M: Message>: Copy + Send {
    type Pass: Send;
    fn enter(&self, msg: &M, cx: &'c Context<'c>) -> Result<Self::Pass, Error<M::Error>>;
    fn leave(&self, pass: Self::Pass, outcome: &Outcome<M>, cx: &'c Context<'c>);
}

impl<'c, M: Message, G: Gate<M>> Entry<'c, M> for &G {
    type Pass = G::Pass;

    #[inline(always)]
    fn enter(&self, msg: &M, cx: &'c Context<'c>) -> Result<G::Pass, Error<M::Error>> {
        (**self).enter(msg, cx)
    }

    #[inline(always)]
    fn leave(&self, pass: G::Pass, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        (**self).leave(pass, outcome, cx);
    }
}

/// One that may be absent.
impl<'c, M: Message, E: Entry<'c, M>> Entry<'c, M> for Option<E> {
    type Pass = OptionalPass<E::Pass>;

    #[inline(always)]
    fn enter(&self, msg: &M, cx: &'c Context<'c>) -> Result<Self::Pass, Error<M::Error>> {
        match self {
            Some(entry) => entry.enter(msg, cx).map(OptionalPass::Given),
            None => Ok(OptionalPass::None),
        }
    }

    #[inline(always)]
    fn leave(&self, pass: Self::Pass, outcome: &Outcome<M>, cx: &'c Context<'c>) {
        if let (Some(entry), OptionalPass::Given(pass)) = (self, pass) {
            entry.leave(pass, outcome, cx);
        }
    }
}

/// An option whose tag is a word, for the reason given at [`Error`]: a pass and an error stand in one
/// place.
#[repr(u64)]
pub(crate) enum OptionalPass<P> {
    None,
    Given(P),
}
