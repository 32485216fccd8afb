//! [`MapError`]: changes how a dispatch fails.

use std::fmt;
use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Blocked, Facts, Layer, Middleware, Next, Role, RouteInfo};
use crate::setting::InvalidSetting;

/// Passes the error of what runs inside it through a closure; a reply is not touched. The layers
/// outside see the new error.
///
/// The closure names the message's error type, so it stands in a scope of such messages.
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
    /// `map` makes the error that the layers outside see.
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
    type Middleware = MapErrorMiddleware<F>;

    const ROLE: Role = Role::MapError;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Self::Middleware>,
    ) -> Result<Self::Middleware, InvalidSetting> {
        Ok(MapErrorMiddleware(self.0.clone()))
    }

    fn facts(&self) -> Facts {
        Facts::new().fails_with_any()
    }
}

/// What [`MapError`] makes.
pub struct MapErrorMiddleware<F>(F);

#[diagnostic::do_not_recommend]
impl<M, F> Middleware<M> for MapErrorMiddleware<F>
where
    M: Message,
    F: Fn(Error<M::Error>, &Context<'_>) -> Error<M::Error> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        MapErrorFuture {
            rest: next.run(msg, cx),
            map: &self.0,
            cx,
        }
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        let outcome = next.block(msg, cx)?;
        Ok(outcome.map_err(|error| (self.0)(error, cx)))
    }
}

pin_project! {
    struct MapErrorFuture<'f, 'c, F, R> {
        #[pin]
        rest: R,
        map: &'f F,
        cx: &'c Context<'c>,
    }
}

impl<F, R, T, E> Future for MapErrorFuture<'_, '_, F, R>
where
    F: Fn(Error<E>, &Context<'_>) -> Error<E>,
    R: Future<Output = Result<T, Error<E>>>,
{
    type Output = Result<T, Error<E>>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        match this.rest.poll(task) {
            Poll::Ready(Err(error)) => Poll::Ready(Err((this.map)(error, this.cx))),
            other => other,
        }
    }
}

impl<F> fmt::Debug for MapError<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapError")
    }
}

impl<F> fmt::Debug for MapErrorMiddleware<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("MapErrorMiddleware")
    }
}
