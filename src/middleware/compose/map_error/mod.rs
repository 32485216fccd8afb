//! [`MapError`]: changes how a dispatch fails.

use std::future::ready;

use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Facts, Layer, Next, Recover, Recovered, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Passes the errors of the inner service through a closure, and leaves replies untouched, so that the outer
/// layers see the new error.
///
/// The closure names the message's error type, so the layer stands in a scope of such messages.
///
/// ```
/// use std::io;
/// use arcbus::middleware::MapError;
/// use arcbus::{Context, Error, Message, Query, QueryBus, from_fn};
///
/// struct Find;
/// impl Message for Find {
///     const NAME: &'static str = "find";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = io::Error;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder()
///     .scope(|s| {
///         s.layer(MapError::new(|error: Error<io::Error>, _: &Context<'_>| {
///             error.map_handler(|error| io::Error::other(format!("find: {error}")))
///         }))
///         .register(from_fn(|_: Find, _: &Context<'_>| Err(io::Error::other("no row"))))
///     })
///     .build()?;
/// assert_eq!(bus.execute_blocking(Find).unwrap_err().to_string(), "find: no row");
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Copy)]
pub struct MapError<F>(F);

impl<F> MapError<F> {
    /// Creates a layer whose closure `map` makes the error that the outer layers see.
    pub const fn new<E>(map: F) -> Self
    where
        F: Fn(Error<E>, &Context<'_>) -> Error<E>,
    {
        Self(map)
    }
}

impl<M, F> Layer<M> for MapError<F>
where
    M: Message,
    F: Fn(Error<M::Error>, &Context<'_>) -> Error<M::Error> + Clone + Send + Sync + 'static,
{
    type Middleware = Recovered<MapErrorRecovery<F>>;

    const ROLE: Role = Role::MapError;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(Recovered::new(MapErrorRecovery(self.0.clone())))
    }

    fn facts(&self) -> Facts {
        Facts::new().fails_with_any()
    }
}

/// A recovery that converts an error to another error, made by [`MapError`].
pub struct MapErrorRecovery<F>(F);

#[diagnostic::do_not_recommend]
impl<M, F> Recover<M> for MapErrorRecovery<F>
where
    M: Message,
    F: Fn(Error<M::Error>, &Context<'_>) -> Error<M::Error> + Send + Sync + 'static,
{
    type Kept = ();
    type Plan<'a> = ();

    #[inline(always)]
    fn keep(&self, _msg: &M) {}

    fn plan(&self, _error: &Error<M::Error>, _cx: &Context<'_>) -> Option<()> {
        Some(())
    }

    fn recover(
        &self,
        (): (),
        (): (),
        error: Error<M::Error>,
        cx: &Context<'_>,
        _next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        ready(Err((self.0)(error, cx)))
    }
}

debug_name!([F] MapError<F>, "MapError");

debug_name!([F] MapErrorRecovery<F>, "MapErrorRecovery");
