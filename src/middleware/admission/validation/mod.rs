//! [`Validation`]: refuses an invalid message before the layers further in.

#[cfg(feature = "garde")]
mod by_garde;
#[cfg(feature = "garde")]
pub use by_garde::by_garde;

use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, ErrorKind, Outcome};
use crate::pipeline::{Facts, Gate, Gated, Layer, Role, RouteInfo, validate};
use crate::setting::InvalidSetting;

/// Validates a message at the place of this layer, so that an invalid message takes no permit and no
/// token of the layers further in.
///
/// The check of the handler stays: every message is validated right before its handler, with or without
/// this layer. With this layer, a valid message is checked twice.
///
/// ```
/// use arcbus::middleware::Validation;
/// use arcbus::{Command, CommandBus, Context, Message, Violations, from_fn};
///
/// struct Pay { cents: u64 }
/// impl Message for Pay {
///     const NAME: &'static str = "pay";
///     type Kind = Command;
///     type Reply = ();
///     type Error = std::convert::Infallible;
///
///     fn validate(&self) -> Result<(), Violations> {
///         let mut violations = Violations::new();
///         if self.cents == 0 {
///             violations.add("cents", "min", "must be at least 1");
///         }
///         violations.into_result()
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = CommandBus::builder()
///     .layer(Validation::new())
///     .register(from_fn(|_: Pay, _: &Context<'_>| Ok(())))
///     .build()?;
/// assert!(bus.execute_blocking(Pay { cents: 0 }).unwrap_err().is_invalid());
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy, Debug, Default)]
#[non_exhaustive]
pub struct Validation;

impl Validation {
    /// Creates the layer, which has no settings.
    #[must_use]
    pub const fn new() -> Self {
        Self
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Layer<M> for Validation {
    type Middleware = Gated<ValidationGate>;

    const ROLE: Role = Role::Validation;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Gated(ValidationGate(())))
    }

    fn facts(&self) -> Facts {
        Facts::new().fails_with(ErrorKind::Invalid)
    }
}

/// The middleware that [`Validation`] makes for a route.
#[derive(Debug)]
pub struct ValidationGate(());

#[diagnostic::do_not_recommend]
impl<M: Message> Gate<M> for ValidationGate {
    type Pass<'a> = ();

    #[inline(always)]
    fn enter(&self, msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        validate(msg)
    }

    #[inline(always)]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}
