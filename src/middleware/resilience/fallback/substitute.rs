//! [`Substitute`]: creates the reply with which a [`Fallback`](super::Fallback) replaces an error.

use std::future::ready;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use crate::bounds::MessageClone;
use crate::context::Context;
use crate::handler::Handler;
use crate::message::Message;
use crate::outcome::panicked;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Either, Leaf, Next};

/// Creates a new outcome from an error.
pub trait Substitute<M: Message>: Send + Sync + 'static {
    /// The part of the message that the substitute needs, because the handler takes the message itself.
    type Kept: Send;

    /// A short description of the substitute for people, as in the notes of a layer.
    const NOTE: &'static str;

    /// The longest time that the substitute may wait, or the maximum if only a limit outside stops it.
    const WAITS: Duration = Duration::ZERO;

    /// Set if the substitute has a reply for every error.
    const ALWAYS: bool = false;

    /// Copies the part of the message that the substitute needs.
    fn keep(msg: &M) -> Self::Kept;

    /// Creates the outcome, or returns the original error if there is no substitute.
    fn run(
        &self,
        kept: Self::Kept,
        error: Error<M::Error>,
        cx: &Context<'_>,
    ) -> impl Future<Output = Outcome<M>> + Send;
}

/// Runs user code, and converts its panic into an error like the panic of a handler.
pub(super) fn caught<T, E>(run: impl FnOnce() -> T) -> Result<T, Error<E>> {
    catch_unwind(AssertUnwindSafe(run)).map_err(panicked)
}

/// A substitute that replies with copies of one value, created by
/// [`Fallback::value`](super::Fallback::value).
#[derive(Clone, Copy, Debug)]
pub struct Value<R>(pub(super) R);

impl<M, R> Substitute<M> for Value<R>
where
    M: Message<Reply = R>,
    R: Clone + Send + Sync + 'static,
{
    type Kept = ();

    const NOTE: &'static str = "a value";

    const ALWAYS: bool = true;

    #[inline(always)]
    fn keep(_msg: &M) {}

    fn run(
        &self,
        (): (),
        error: Error<M::Error>,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        ready(copy::<M>(&self.0, error))
    }
}

fn copy<M: Message<Reply: Clone>>(reply: &M::Reply, error: Error<M::Error>) -> Outcome<M> {
    drop(error);
    caught(|| reply.clone())
}

/// A substitute that replies with the result of a closure, created by
/// [`Fallback::with`](super::Fallback::with).
#[derive(Clone, Copy)]
pub struct With<F>(pub(super) F);

debug_name!([F] With<F>, "With");

impl<M, F> Substitute<M> for With<F>
where
    M: MessageClone,
    F: Fn(&Error<M::Error>, &M) -> Option<M::Reply> + Send + Sync + 'static,
{
    type Kept = M;

    const NOTE: &'static str = "a closure";

    #[inline(always)]
    fn keep(msg: &M) -> M {
        msg.clone()
    }

    fn run(
        &self,
        msg: M,
        error: Error<M::Error>,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        ready(ask(&self.0, &msg, error))
    }
}

fn ask<M, F>(substitute: &F, msg: &M, error: Error<M::Error>) -> Outcome<M>
where
    M: Message,
    F: Fn(&Error<M::Error>, &M) -> Option<M::Reply>,
{
    caught(|| substitute(&error, msg))?.ok_or(error)
}

impl<M: MessageClone, H: Handler<M>> Substitute<M> for Leaf<H> {
    type Kept = M;

    const NOTE: &'static str = "a handler";

    const WAITS: Duration = Duration::MAX;

    #[inline(always)]
    fn keep(msg: &M) -> M {
        msg.clone()
    }

    fn run(
        &self,
        msg: M,
        error: Error<M::Error>,
        cx: &Context<'_>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        match is_over(cx) {
            true => Either::off(ready(Err(error))),
            false => Either::on(Next::run(self, msg, cx)),
        }
    }
}

/// Returns whether no caller waits for the reply of another handler any more.
fn is_over(cx: &Context<'_>) -> bool {
    let late = |expiry| cx.clock().ticks() >= expiry;
    cx.is_cancelled() || cx.expiry().is_some_and(late)
}
