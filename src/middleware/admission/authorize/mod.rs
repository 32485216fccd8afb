//! [`Authorize`]: asks a predicate whether the caller may send a message with this type and context.

use std::any::Any;

use crate::context::Context;
use crate::message::{Message, MessageType};
use crate::outcome::Rejection;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Facts, Gate, Gated, Layer, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Refuses a message whose context does not satisfy a predicate. The layer fits every message, and can
/// therefore stand above a whole bus. To decide by the content of the message instead of its context,
/// use [`guard`](crate::guard).
///
/// ```
/// use arcbus::middleware::Authorize;
/// use arcbus::{Command, CommandBus, Context, Message, RejectionKind, from_fn};
///
/// struct User { admin: bool }
///
/// struct Shutdown;
/// impl Message for Shutdown {
///     const NAME: &'static str = "shutdown";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::builder()
///     .layer(Authorize::caller(|user: &User| user.admin, "needs the role admin"))
///     .register(from_fn(|_: Shutdown, _: &Context<'_>| Ok(())))
///     .build()?;
///
/// let refused = bus.execute_blocking(Shutdown).unwrap_err();
/// assert!(refused.is_rejected(), "nobody has signed in");
/// let admin = Context::new().with(User { admin: true });
/// assert_eq!(bus.execute_blocking_with(Shutdown, admin), Ok(()));
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct Authorize<F>(F);

impl<F> Authorize<F>
where
    F: Fn(MessageType, &Context<'_>) -> Result<(), Rejection>,
{
    /// Lets a message pass if `may` accepts its type and context.
    pub const fn new(may: F) -> Self {
        Self(may)
    }
}

impl Authorize<()> {
    /// Lets a message pass if `may` holds for the value of type `U` in its context. A message without
    /// such a value is [unauthenticated](Rejection::unauthenticated), and a message whose value does not
    /// satisfy `may` is [forbidden](Rejection::forbidden) for `reason`.
    pub fn caller<U: Any + Send + Sync>(
        may: impl Fn(&U) -> bool + Clone + Send + Sync + 'static,
        reason: &'static str,
    ) -> Authorize<
        impl Fn(MessageType, &Context<'_>) -> Result<(), Rejection> + Clone + Send + Sync + 'static,
    > {
        Authorize::new(
            move |_: MessageType, cx: &Context<'_>| match cx.get::<U>() {
                None => Err(Rejection::unauthenticated()),
                Some(caller) if may(caller) => Ok(()),
                Some(_) => Err(Rejection::forbidden(reason)),
            },
        )
    }
}

impl<M, F> Layer<M> for Authorize<F>
where
    M: Message,
    F: Fn(MessageType, &Context<'_>) -> Result<(), Rejection> + Clone + Send + Sync + 'static,
{
    type Middleware = Gated<AuthorizeGate<F>>;

    const ROLE: Role = Role::Authorize;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Gated(AuthorizeGate(self.0.clone())))
    }

    fn facts(&self) -> Facts {
        Facts::new().rejects()
    }
}

/// The middleware that [`Authorize`] makes for a route.
pub struct AuthorizeGate<F>(F);

#[diagnostic::do_not_recommend]
impl<M, F> Gate<M> for AuthorizeGate<F>
where
    M: Message,
    F: Fn(MessageType, &Context<'_>) -> Result<(), Rejection> + Send + Sync + 'static,
{
    type Pass<'a> = ();

    #[inline(always)]
    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok((self.0)(MessageType::of::<M>(), cx)?)
    }

    #[inline(always)]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

debug_name!([F] Authorize<F>, "Authorize");

debug_name!([F] AuthorizeGate<F>, "AuthorizeGate");
