//! [`Extract`] and [`ErrorPredicate`]: the questions that layers ask user code about a dispatch.

use std::iter;

use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, ErrorKind};

/// Takes a value out of a message and its context: a key, a time limit, a condition. Closures of the message
/// and its context implement this trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` takes no `{T}` out of the message `{M}`",
    note = "write `|msg: &{M}, cx: &Context<'_>| -> {T}`"
)]
pub trait Extract<M, T>: Send + Sync + 'static {
    /// Returns the value taken out of the message and its context.
    fn extract(&self, msg: &M, cx: &Context<'_>) -> T;
}

impl<M, T, F> Extract<M, T> for F
where
    F: Fn(&M, &Context<'_>) -> T + Send + Sync + 'static,
{
    #[inline]
    fn extract(&self, msg: &M, cx: &Context<'_>) -> T {
        self(msg, cx)
    }
}

/// Asks a closure about the context alone, for every message: a key, a time limit, a condition.
///
/// ```
/// use arcbus::Context;
/// use arcbus::middleware::{InContext, Validation, When};
///
/// struct Untrusted;
/// let layer = When::new(InContext(|cx: &Context<'_>| cx.get::<Untrusted>().is_some()), Validation::new());
/// # let _ = layer;
/// ```
#[derive(Clone, Copy)]
pub struct InContext<F>(pub F);

impl<M, T, F> Extract<M, T> for InContext<F>
where
    F: Fn(&Context<'_>) -> T + Send + Sync + 'static,
{
    #[inline]
    fn extract(&self, _msg: &M, cx: &Context<'_>) -> T {
        (self.0)(cx)
    }
}

debug_name!([F] InContext<F>, "InContext");

/// Chooses errors: those worth another attempt, or those to replace. Closures of the error implement this
/// trait.
#[diagnostic::on_unimplemented(
    message = "`{Self}` chooses no errors of the message `{M}`",
    note = "write `|error: &Error<E>| -> bool`, where `E` is the error of `{M}`"
)]
pub trait ErrorPredicate<M: Message>: Send + Sync + 'static {
    /// Returns the kinds of error that match in every case, for [`explain`](crate::Bus::explain). Default: no
    /// known kinds.
    #[doc(hidden)]
    fn always() -> impl Iterator<Item = ErrorKind> {
        iter::empty()
    }

    /// Returns whether the predicate chooses this error.
    fn matches(&self, error: &Error<M::Error>) -> bool;
}

impl<M, F> ErrorPredicate<M> for F
where
    M: Message,
    F: Fn(&Error<M::Error>) -> bool + Send + Sync + 'static,
{
    fn matches(&self, error: &Error<M::Error>) -> bool {
        self(error)
    }
}
