//! The two smallest middlewares, made of closures: [`guard`] and [`inspect`].

use super::{Facts, Gate, Gated, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Rejection;
use crate::outcome::{Error, Outcome};

/// Creates a middleware that asks a closure whether the message may pass.
///
/// The closure names its message type, so the middleware stands in a scope of that message.
///
/// ```
/// use arcbus::{Command, CommandBus, Context, Message, Rejection, from_fn, guard};
///
/// struct Withdraw { amount: u64 }
/// impl Message for Withdraw {
///     const NAME: &'static str = "withdraw";
///     type Kind = Command;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::builder()
///     .scope(|s| {
///         s.wrap(guard(|msg: &Withdraw, _cx: &Context<'_>| {
///             if msg.amount <= 100 { Ok(()) } else { Err(Rejection::forbidden("at most 100")) }
///         }))
///         .register(from_fn(|msg: Withdraw, _cx: &Context<'_>| Ok(msg.amount)))
///     })
///     .build()?;
/// assert!(bus.execute_blocking(Withdraw { amount: 500 }).unwrap_err().is_rejected());
/// # Ok(())
/// # }
/// ```
pub fn guard<M, F>(predicate: F) -> Gated<GuardGate<F>>
where
    M: Message,
    F: Fn(&M, &Context<'_>) -> Result<(), Rejection> + Send + Sync + 'static,
{
    Gated(GuardGate(predicate))
}

/// The gate of a [`guard`], which refuses messages by its closure.
#[derive(Clone, Copy)]
pub struct GuardGate<F>(F);

impl<M, F> Gate<M> for GuardGate<F>
where
    M: Message,
    F: Fn(&M, &Context<'_>) -> Result<(), Rejection> + Send + Sync + 'static,
{
    type Pass<'a> = ();

    const ROLE: Role = Role::Authorize;

    #[inline]
    fn enter(&self, msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok((self.0)(msg, cx)?)
    }

    #[inline]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}

    fn facts(&self) -> Facts {
        Facts::new().rejects()
    }
}

/// Creates a middleware that calls one closure before the handler and another after the handler.
///
/// ```
/// use arcbus::{Context, Message, Outcome, Query, QueryBus, from_fn, inspect};
///
/// struct Ping;
/// impl Message for Ping {
///     const NAME: &'static str = "ping";
///     type Kind = Query;
///     type Reply = &'static str;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder()
///     .scope(|s| {
///         s.wrap(inspect(
///             |_msg: &Ping, _cx: &Context<'_>| println!("ping?"),
///             |outcome: &Outcome<Ping>, _cx: &Context<'_>| println!("{outcome:?}"),
///         ))
///         .register(from_fn(|_: Ping, _cx: &Context<'_>| Ok("pong")))
///     })
///     .build()?;
/// assert_eq!(bus.execute_blocking(Ping), Ok("pong"));
/// # Ok(())
/// # }
/// ```
pub fn inspect<M, B, A>(before: B, after: A) -> Gated<InspectGate<B, A>>
where
    M: Message,
    B: Fn(&M, &Context<'_>) + Send + Sync + 'static,
    A: Fn(&Outcome<M>, &Context<'_>) + Send + Sync + 'static,
{
    Gated(InspectGate { before, after })
}

/// The gate of an [`inspect`], which calls its two closures.
#[derive(Clone, Copy)]
pub struct InspectGate<B, A> {
    before: B,
    after: A,
}

impl<M, B, A> Gate<M> for InspectGate<B, A>
where
    M: Message,
    B: Fn(&M, &Context<'_>) + Send + Sync + 'static,
    A: Fn(&Outcome<M>, &Context<'_>) + Send + Sync + 'static,
{
    type Pass<'a> = ();

    #[inline]
    fn enter(&self, msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        (self.before)(msg, cx);
        Ok(())
    }

    #[inline]
    fn leave(&self, (): (), outcome: &Outcome<M>, cx: &Context<'_>) {
        (self.after)(outcome, cx);
    }

    fn facts(&self) -> Facts {
        Facts::new()
    }
}

debug_name!([F] GuardGate<F>, "GuardGate");

debug_name!([B, A] InspectGate<B, A>, "InspectGate");

/// Defines a middleware for every message, without spelling its signature.
///
/// ```
/// use arcbus::{CommandBus, middleware};
///
/// middleware! {
///     /// Prints the name of every message.
///     pub struct Announce { prefix: &'static str }
///
///     async fn handle<M>(self, msg, cx, next) {
///         println!("{} {}", self.prefix, M::NAME);
///         next.run(msg, cx).await
///     }
/// }
///
/// let builder = CommandBus::builder().wrap(Announce { prefix: ">" });
/// # let _ = builder;
/// ```
#[macro_export]
macro_rules! middleware {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident;

        $($handle:tt)*
    ) => {
        $(#[$attribute])*
        $visibility struct $name;
        $crate::middleware!(@impl $name $($handle)*);
    };

    (
        $(#[$attribute:meta])*
        $visibility:vis struct $name:ident { $($fields:tt)* }

        $($handle:tt)*
    ) => {
        $(#[$attribute])*
        $visibility struct $name { $($fields)* }
        $crate::middleware!(@impl $name $($handle)*);
    };

    (
        @impl $name:ident
        async fn handle<$message:ident>($this:ident, $msg:ident, $cx:ident, $next:ident) $body:block
    ) => {
        impl<$message: $crate::Message> $crate::Middleware<$message> for $name {
            async fn handle(
                &$this,
                $msg: $message,
                $cx: &$crate::Context<'_>,
                $next: &impl $crate::Next<$message>,
            ) -> $crate::Outcome<$message> $body
        }
    };
}
