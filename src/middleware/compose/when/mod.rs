//! [`When`]: a layer that acts on some dispatches only.

use std::fmt;

use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::pipeline::{Blocked, Facts, Layer, Middleware, Next, Role, Roles, RouteInfo};
use crate::setting::InvalidSetting;

/// A layer that acts where a condition holds and is passed by elsewhere.
///
/// ```
/// use arcbus::middleware::{Authorize, When};
/// use arcbus::{Command, CommandBus, Context, Message, from_fn};
///
/// struct Pay { cents: u64 }
/// impl Message for Pay {
///     const NAME: &'static str = "pay";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
///
/// struct Supervisor;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let supervised = Authorize::caller(|_: &Supervisor| true, "needs a supervisor");
/// let bus = CommandBus::builder()
///     .scope(|s| {
///         s.layer(When::new(|msg: &Pay, _: &Context<'_>| msg.cents > 100_000, supervised))
///             .register(from_fn(|_: Pay, _: &Context<'_>| Ok(())))
///     })
///     .build()?;
/// assert_eq!(bus.execute_blocking(Pay { cents: 50 }), Ok(()));
/// assert!(bus.execute_blocking(Pay { cents: 200_000 }).unwrap_err().is_rejected());
/// # Ok(())
/// # }
/// ```
///
/// A clone makes instances of its own, for routes of its own; [`shared`](crate::LayerExt::shared) makes one
/// for all: see [`Layer`](crate::Layer#one-instance-a-route).
#[derive(Clone, Copy)]
pub struct When<C, L> {
    condition: C,
    layer: L,
}

impl<C, L> When<C, L> {
    /// `layer` where `condition` holds: a closure over a message and its context, or
    /// [`InContext`].
    pub const fn new(condition: C, layer: L) -> Self {
        Self { condition, layer }
    }
}

/// What [`When`] asks.
#[diagnostic::on_unimplemented(
    message = "`{Self}` is not a condition on the message `{M}`",
    note = "write `|msg: &{M}, cx: &Context<'_>| -> bool`, or `InContext(|cx: &Context<'_>| -> bool)` for every message"
)]
pub trait Condition<M: Message>: Clone + Send + Sync + 'static {
    /// Whether the layer acts.
    fn holds(&self, msg: &M, cx: &Context<'_>) -> bool;
}

impl<M, F> Condition<M> for F
where
    M: Message,
    F: Fn(&M, &Context<'_>) -> bool + Clone + Send + Sync + 'static,
{
    #[inline]
    fn holds(&self, msg: &M, cx: &Context<'_>) -> bool {
        self(msg, cx)
    }
}

/// A condition on the context alone, for every message.
///
/// ```
/// use arcbus::Context;
/// use arcbus::middleware::{Validation, When};
/// use arcbus::middleware::when::InContext;
///
/// struct Untrusted;
/// let layer = When::new(InContext(|cx: &Context<'_>| cx.get::<Untrusted>().is_some()), Validation::new());
/// # let _ = layer;
/// ```
#[derive(Clone, Copy)]
pub struct InContext<F>(pub F);

impl<M, F> Condition<M> for InContext<F>
where
    M: Message,
    F: Fn(&Context<'_>) -> bool + Clone + Send + Sync + 'static,
{
    #[inline]
    fn holds(&self, _msg: &M, cx: &Context<'_>) -> bool {
        (self.0)(cx)
    }
}

impl<M: Message, C: Condition<M>, L: Layer<M>> Layer<M> for When<C, L> {
    type Middleware = WhenMiddleware<C, L::Middleware>;

    const ROLE: Role = L::ROLE;
    const ROLES: Roles = Roles::NONE;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let previous = previous.map(|previous| &previous.middleware);
        Ok(WhenMiddleware {
            condition: self.condition.clone(),
            middleware: self.layer.middleware(route, previous)?,
        })
    }

    fn facts(&self) -> Facts {
        self.layer.facts().sometimes()
    }

    fn name(&self) -> &'static str {
        self.layer.name()
    }
}

/// What [`When`] makes.
pub struct WhenMiddleware<C, W> {
    condition: C,
    middleware: W,
}

#[diagnostic::do_not_recommend]
impl<M: Message, C: Condition<M>, W: Middleware<M>> Middleware<M> for WhenMiddleware<C, W> {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let acts = self.condition.holds(&msg, cx).then_some(&self.middleware);
        W::handle_optional(acts, msg, cx, next)
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        let acts = self.condition.holds(&msg, cx).then_some(&self.middleware);
        W::block_optional(acts, msg, cx, next)
    }

    fn is_on(&self) -> bool {
        self.middleware.is_on()
    }
}

impl<C, L: fmt::Debug> fmt::Debug for When<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "When({:?})", self.layer)
    }
}

impl<F> fmt::Debug for InContext<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("InContext")
    }
}

impl<C, W: fmt::Debug> fmt::Debug for WhenMiddleware<C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "When({:?})", self.middleware)
    }
}
