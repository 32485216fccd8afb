//! [`When`]: a layer that acts on some dispatches only.

use std::fmt;

use crate::message::Message;
use crate::pipeline::{Extract, Facts, Layer, Role, Roles, RouteInfo};
use crate::setting::InvalidSetting;
use crate::sync::PlainArc;

pub use crate::pipeline::Selected;

/// A layer that acts if a condition holds, and is passed by otherwise.
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
/// A clone makes instances of its own, for routes of its own. [`shared`](crate::LayerExt::shared) makes one
/// instance for all routes: see [`Layer`](crate::Layer#one-instance-a-route).
pub struct When<C, L> {
    condition: PlainArc<C>,
    layer: L,
}

impl<C, L> When<C, L> {
    /// Creates a layer that applies `layer` to the dispatches for which `condition` holds. The condition is a
    /// closure over a message and its context, or [`InContext`](crate::middleware::InContext).
    pub fn new(condition: C, layer: L) -> Self {
        let condition = PlainArc::new(condition);
        Self { condition, layer }
    }
}

impl<M: Message, C: Extract<M, bool>, L: Layer<M>> Layer<M> for When<C, L> {
    type Middleware = Selected<C, L::Middleware>;

    const ROLE: Role = L::ROLE;
    const ROLES: Roles = Roles::NONE;

    fn middleware(
        &self,
        route: &RouteInfo,
        previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        let previous = previous.map(|previous| &previous.middleware);
        Ok(Selected {
            condition: PlainArc::clone(&self.condition),
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

impl<C, L: fmt::Debug> fmt::Debug for When<C, L> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "When({:?})", self.layer)
    }
}

impl<C, L: Clone> Clone for When<C, L> {
    fn clone(&self) -> Self {
        Self {
            condition: PlainArc::clone(&self.condition),
            layer: self.layer.clone(),
        }
    }
}
