//! Handlers made of functions and closures.

use std::fmt;
use std::future::ready;

use super::Handler;
use crate::bounds::CallableWith;
use crate::context::Context;
use crate::message::Message;

/// A plain function or closure as a handler.
///
/// ```
/// use arcbus::{Context, Message, Query, QueryBus, from_fn};
///
/// struct Double(u64);
/// impl Message for Double {
///     const NAME: &'static str = "double";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder()
///     .register(from_fn(|msg: Double, _cx: &Context<'_>| Ok(msg.0 * 2)))
///     .build()?;
/// assert_eq!(bus.execute_blocking(Double(21)), Ok(42));
/// # Ok(())
/// # }
/// ```
pub fn from_fn<M, F>(function: F) -> FnHandler<F>
where
    M: Message,
    F: Fn(M, &Context<'_>) -> Result<M::Reply, M::Error> + Send + Sync + 'static, // async? from_async_fn
{
    FnHandler(function)
}

/// An `async fn` item, or an async closure that captures nothing, as a handler. What needs state goes
/// through [`from_async_fn_with`].
///
/// An async closure names the types of both arguments, `async |msg: Double, cx: &Context<'_>| ..`. A closure that
/// returns an `async` block cannot borrow its context: it goes through [`from_detached_fn`].
///
/// ```
/// use std::convert::Infallible;
/// use arcbus::{Context, Message, Query, QueryBus, from_async_fn};
///
/// struct Double(u64);
/// impl Message for Double {
///     const NAME: &'static str = "double";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = Infallible;
/// }
///
/// async fn double(msg: Double, _cx: &Context<'_>) -> Result<u64, Infallible> {
///     Ok(msg.0 * 2)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder().register(from_async_fn(double)).build()?;
/// assert_eq!(bus.execute_blocking(Double(21)), Ok(42));
/// # Ok(())
/// # }
/// ```
pub fn from_async_fn<M, F>(function: F) -> AsyncFnHandler<F>
where
    M: Message,
    F: for<'a> AsyncHandlerFn<'a, M> + Send + Sync + 'static, // captures? `from_async_fn_with`
{
    AsyncFnHandler(function)
}

/// State and an async closure over it as a handler. The closure captures nothing: what it needs is
/// in the state.
///
/// ```
/// use arcbus::{Context, Message, Query, QueryBus, from_async_fn_with};
///
/// struct Times(u64);
/// impl Message for Times {
///     const NAME: &'static str = "times";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let factor = 3_u64;
/// let handler = from_async_fn_with(factor, async |factor: &u64, msg: Times, _cx: &Context<'_>| {
///     Ok(msg.0 * factor)
/// });
/// let bus = QueryBus::builder().register(handler).build()?;
/// assert_eq!(bus.execute_blocking(Times(14)), Ok(42));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "capture")]
#[doc(alias = "state")]
pub fn from_async_fn_with<M, S, F>(state: S, function: F) -> AsyncWithHandler<S, F>
where
    M: Message,
    S: Send + Sync + 'static,
    F: for<'s, 'a> AsyncWithHandlerFn<'s, 'a, S, M> + Send + Sync + 'static, // captures? the state
{
    AsyncWithHandler { state, function }
}

/// A closure that may capture and returns a future that owns all it needs, with a
/// [detached](Context::detach) context. A detached context costs an allocation a dispatch.
///
/// ```
/// use std::sync::Arc;
/// use arcbus::{Context, Message, Query, QueryBus, from_detached_fn};
///
/// struct Times(u64);
/// impl Message for Times {
///     const NAME: &'static str = "times";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = std::convert::Infallible;
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let factor = Arc::new(3_u64);
/// let handler = from_detached_fn(move |msg: Times, _cx| {
///     let factor = Arc::clone(&factor);
///     async move { Ok(msg.0 * *factor) }
/// });
/// let bus = QueryBus::builder().register(handler).build()?;
/// assert_eq!(bus.execute_blocking(Times(14)), Ok(42));
/// # Ok(())
/// # }
/// ```
pub fn from_detached_fn<M, F, Fut>(function: F) -> DetachedFnHandler<F>
where
    M: Message,
    F: Fn(M, Context<'static>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Reply, M::Error>> + Send,
{
    DetachedFnHandler(function)
}

/// Made by [`from_fn`].
#[derive(Clone)]
pub struct FnHandler<F>(F);

impl<M, F> Handler<M> for FnHandler<F>
where
    M: Message,
    F: Fn(M, &Context<'_>) -> Result<M::Reply, M::Error> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        ready((self.0)(msg, cx))
    }
}

/// What [`from_async_fn`] takes. Implemented for the functions that fit; nobody writes it.
#[diagnostic::on_unimplemented(
    message = "this is not an async handler function for the message `{M}`",
    label = "captures variables, or does not take `(msg: {M}, cx: &Context<'_>)`",
    note = "write `async fn handle(msg: {M}, cx: &Context<'_>) -> Result<Reply, Error>`, or an async closure that captures nothing",
    note = "put what a closure captures into the state of `from_async_fn_with(state, async |state: &S, msg: {M}, cx: &Context<'_>| ..)`",
    note = "or clone it into each future: `from_detached_fn(move |msg: {M}, cx| {{ let state = state.clone(); async move {{ .. }} }})`"
)]
pub trait AsyncHandlerFn<'a, M: Message> {
    /// The future it returns.
    type Future: Future<Output = Result<M::Reply, M::Error>> + Send + 'a;
    /// Calls it.
    fn call(&self, msg: M, cx: &'a Context<'a>) -> Self::Future;
}

impl<'a, M, F, Fut> AsyncHandlerFn<'a, M> for F
where
    M: Message,
    F: CallableWith<(M, &'a Context<'a>), Output = Fut>,
    Fut: Future<Output = Result<M::Reply, M::Error>> + Send + 'a,
{
    type Future = Fut;

    #[inline(always)]
    fn call(&self, msg: M, cx: &'a Context<'a>) -> Fut {
        CallableWith::call(self, (msg, cx))
    }
}

/// Made by [`from_async_fn`].
#[derive(Clone)]
pub struct AsyncFnHandler<F>(F);

impl<M, F> Handler<M> for AsyncFnHandler<F>
where
    M: Message,
    F: for<'a> AsyncHandlerFn<'a, M> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        self.0.call(msg, cx)
    }
}

/// What [`from_async_fn_with`] takes. Implemented for the functions that fit; nobody writes it.
#[diagnostic::on_unimplemented(
    message = "this is not an async handler function for the message `{M}` with the state `{S}`",
    label = "captures variables, or does not take `(state: &{S}, msg: {M}, cx: &Context<'_>)`",
    note = "write `async |state: &{S}, msg: {M}, cx: &Context<'_>| {{ .. }}`, and put what it captures into the state"
)]
pub trait AsyncWithHandlerFn<'s, 'a, S, M: Message> {
    /// The future it returns.
    type Future: Future<Output = Result<M::Reply, M::Error>> + Send;
    /// Calls it.
    fn call(&self, state: &'s S, msg: M, cx: &'a Context<'a>) -> Self::Future;
}

impl<'s, 'a, S, M, F, Fut> AsyncWithHandlerFn<'s, 'a, S, M> for F
where
    S: 's,
    M: Message,
    F: CallableWith<(&'s S, M, &'a Context<'a>), Output = Fut>,
    Fut: Future<Output = Result<M::Reply, M::Error>> + Send,
{
    type Future = Fut;

    #[inline(always)]
    fn call(&self, state: &'s S, msg: M, cx: &'a Context<'a>) -> Fut {
        CallableWith::call(self, (state, msg, cx))
    }
}

/// Made by [`from_async_fn_with`].
#[derive(Clone)]
pub struct AsyncWithHandler<S, F> {
    state: S,
    function: F,
}

impl<M, S, F> Handler<M> for AsyncWithHandler<S, F>
where
    M: Message,
    S: Send + Sync + 'static,
    F: for<'s, 'a> AsyncWithHandlerFn<'s, 'a, S, M> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        self.function.call(&self.state, msg, cx)
    }
}

/// Made by [`from_detached_fn`].
#[derive(Clone)]
pub struct DetachedFnHandler<F>(F);

impl<M, F, Fut> Handler<M> for DetachedFnHandler<F>
where
    M: Message,
    F: Fn(M, Context<'static>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<M::Reply, M::Error>> + Send,
{
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        (self.0)(msg, cx.detach())
    }
}

macro_rules! flat_debug {
    ($($name:ident<$($param:ident),*>),* $(,)?) => {
        $(impl<$($param),*> fmt::Debug for $name<$($param),*> {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(stringify!($name))
            }
        })*
    };
}

flat_debug!(FnHandler<F>, AsyncFnHandler<F>, AsyncWithHandler<S, F>, DetachedFnHandler<F>);
