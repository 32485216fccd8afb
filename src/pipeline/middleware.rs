//! [`Middleware`] and [`Next`], its inner service.

use std::any::Any;

use super::optional::Either;
use super::park::{Blocked, block_on};
use super::{Facts, Home, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::sync::Arc;

/// A middleware is code around a handler. That code may look at the message, refuse or change the message,
/// run the inner service several times or never, and change the outcome.
///
/// Written as an `async fn`, generic over the messages. A middleware that only looks before and after the
/// handler is cheaper as a [`Gate`](super::Gate).
///
/// ```
/// use arcbus::{Context, Message, Middleware, Next, Outcome, Rejection};
///
/// struct User {
///     admin: bool,
/// }
///
/// struct AdminOnly;
///
/// impl<M: Message> Middleware<M> for AdminOnly {
///     async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
///         let user = cx.get::<User>().ok_or(Rejection::unauthenticated())?;
///         if !user.admin {
///             return Err(Rejection::forbidden("needs the role admin").into());
///         }
///         next.run(msg, cx).await
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a middleware for the message `{M}`",
    label = "`Middleware<{M}>` is not implemented for `{Self}`",
    note = "write `impl<M: Message> Middleware<M> for {Self}` with `async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M>`",
    note = "a layer goes into `.layer(..)`, a plain middleware into `.wrap(..)`, a gate into `.wrap(Gated(..))`"
)]
pub trait Middleware<M: Message>: Send + Sync + 'static {
    /// The purpose of this middleware, which matters for the order of layers. Default: [`Role::Other`].
    const ROLE: Role = Role::Other;

    /// Handles one message, usually by running `next`.
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send;

    /// Handles one message through a middleware that is switched on, or off (`None`).
    #[doc(hidden)]
    #[inline(always)]
    fn handle_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        match this {
            Some(this) => Either::on(this.handle(msg, cx, next)),
            None => Either::off(next.run(msg, cx)),
        }
    }

    /// Returns the worst that this middleware may do to a dispatch. Read by [`explain`](crate::Bus::explain)
    /// where the middleware stands in `.wrap(..)`. Default: [`unknown`](Facts::unknown).
    fn facts(&self) -> Facts {
        Facts::unknown()
    }

    /// Runs [`handle`](Middleware::handle) to its end on this thread. A middleware that only looks before and
    /// after the inner service does so around a plain call.
    #[doc(hidden)]
    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        block_on::<M>(self.handle(msg, cx, next), cx)
    }

    /// Runs [`block`](Middleware::block) of a middleware that is switched on, or off (`None`).
    #[doc(hidden)]
    #[inline(always)]
    fn block_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M> {
        match this {
            Some(this) => this.block(msg, cx, next),
            None => next.block(msg, cx),
        }
    }

    /// Returns whether this middleware is switched on. `None` is switched off, and is not listed among the
    /// layers.
    #[doc(hidden)]
    fn is_on(&self) -> bool {
        true
    }
}

/// The inner service of a middleware, implemented by arcbus alone.
///
/// A run may begin its work at once, so await the returned future. A middleware may run the inner service
/// again.
pub trait Next<M: Message>: Send + Sync + sealed::Sealed + 'static {
    /// Runs the inner service with a message that may have been changed.
    fn run(&self, msg: M, cx: &Context<'_>) -> impl Future<Output = Outcome<M>> + Send;

    /// Performs [`run`](Next::run) to its end on this thread.
    #[doc(hidden)]
    fn block(&self, msg: M, cx: &Context<'_>) -> Blocked<M>;

    /// Returns the middleware at `place`, counted inwards from here, or `None` for a handler.
    #[doc(hidden)]
    fn middleware_at(&self, _place: usize) -> Option<&dyn Any> {
        None
    }

    /// Returns the home of the leaf.
    #[doc(hidden)]
    fn home(&self) -> &Home;
}

pub(super) mod sealed {
    pub trait Sealed {}
}

impl<M: Message, W: Middleware<M>> Middleware<M> for Arc<W> {
    const ROLE: Role = W::ROLE;

    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        (**self).handle(msg, cx, next)
    }

    #[inline(always)]
    fn handle_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        W::handle_optional(this.map(|this| &**this), msg, cx, next)
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        (**self).block(msg, cx, next)
    }

    #[inline(always)]
    fn block_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M> {
        W::block_optional(this.map(|this| &**this), msg, cx, next)
    }

    fn facts(&self) -> Facts {
        (**self).facts()
    }

    fn is_on(&self) -> bool {
        (**self).is_on()
    }
}

impl<M: Message, W: Middleware<M>> Middleware<M> for Option<W> {
    const ROLE: Role = W::ROLE;

    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        W::handle_optional(self.as_ref(), msg, cx, next)
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        W::block_optional(self.as_ref(), msg, cx, next)
    }

    fn facts(&self) -> Facts {
        self.as_ref().map(W::facts).unwrap_or_default()
    }

    fn is_on(&self) -> bool {
        self.as_ref().is_some_and(W::is_on)
    }
}
