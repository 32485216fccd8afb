//! Handlers made from functions and closures, with or without a state of their own.

use std::future::ready;
use std::marker::PhantomData;

use super::Handler;
use crate::bounds::{AsyncCall, HandlerFn, HandlerFnWith, WithContext, WithoutContext};
use crate::context::Context;
use crate::message::Message;

/// Creates a handler from a plain function or closure, which takes a message and, if needed, a
/// context.
///
/// A closure that takes the context names its type, `|msg: Double, cx: &Context<'_>| ..`.
///
/// ```
/// use arcbus::{Message, Query, QueryBus, from_fn};
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
///     .register(from_fn(|msg: Double| Ok(msg.0 * 2)))
///     .build()?;
/// assert_eq!(bus.execute_blocking(Double(21)), Ok(42));
/// # Ok(())
/// # }
/// ```
pub fn from_fn<M, Shape, F>(function: F) -> FnHandler<F, Shape>
where
    F: HandlerFn<M, Shape>,
    FnHandler<F, Shape>: Handler<M>, // async? `.handle(f)` or `from_async_fn(f)`
    M: Message,
{
    FnHandler(function, PhantomData)
}

/// Creates a handler from an `async fn`, or from a closure that returns a future. The function
/// takes a message and, if needed, a context. An async closure captures nothing, so a handler with
/// a state is made by [`from_async_fn_with`].
///
/// An async closure names the types of its arguments, `async |msg: Double, cx: &Context<'_>| ..`. A
/// closure that returns an `async` block may capture, as long as each block owns everything it
/// uses. Such a closure cannot borrow its context, so use [`from_detached_fn`] if the block needs
/// one.
///
/// ```
/// use std::convert::Infallible;
/// use arcbus::{Message, Query, QueryBus, from_async_fn};
///
/// struct Double(u64);
/// impl Message for Double {
///     const NAME: &'static str = "double";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = Infallible;
/// }
///
/// async fn double(msg: Double) -> Result<u64, Infallible> {
///     Ok(msg.0 * 2)
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder().register(from_async_fn(double)).build()?;
/// assert_eq!(bus.execute_blocking(Double(21)), Ok(42));
/// # Ok(())
/// # }
/// ```
pub fn from_async_fn<M, Shape, F>(function: F) -> AsyncFnHandler<F, Shape>
where
    F: HandlerFn<M, Shape>,
    AsyncFnHandler<F, Shape>: Handler<M>, // not async? `.handle_sync(f)` or `from_fn(f)`
    M: Message,
{
    AsyncFnHandler(function, PhantomData)
}

/// Creates a handler from a state and an async function over that state. The function takes the
/// state by reference, the message and, if needed, the context. A closure captures nothing, because
/// everything needed is in the state.
///
/// ```
/// use arcbus::{Message, Query, QueryBus, from_async_fn_with};
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
/// let handler = from_async_fn_with(factor, async |factor: &u64, msg: Times| Ok(msg.0 * factor));
/// let bus = QueryBus::builder().register(handler).build()?;
/// assert_eq!(bus.execute_blocking(Times(14)), Ok(42));
/// # Ok(())
/// # }
/// ```
#[doc(alias = "capture")]
#[doc(alias = "state")]
pub fn from_async_fn_with<M, Shape, S, F>(state: S, function: F) -> AsyncWithHandler<S, F, Shape>
where
    F: HandlerFnWith<S, M, Shape>,
    AsyncWithHandler<S, F, Shape>: Handler<M>,
    M: Message,
{
    AsyncWithHandler {
        state,
        function,
        shape: PhantomData,
    }
}

/// Creates a handler from a closure that may capture, and that returns a future without borrows.
/// The future owns a [detached](Context::detach) context, which costs an allocation for each
/// dispatch.
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

/// A handler made from a plain function or closure by [`from_fn`], for code that never waits.
pub struct FnHandler<F, Shape>(F, PhantomData<fn() -> Shape>);

impl<M, F> Handler<M> for FnHandler<F, WithoutContext>
where
    M: Message,
    F: Fn(M) -> Result<M::Reply, M::Error> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        ready((self.0)(msg))
    }
}

impl<M, F> Handler<M> for FnHandler<F, WithContext>
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

/// A handler made from an async function or a closure that returns a future by [`from_async_fn`].
pub struct AsyncFnHandler<F, Shape>(F, PhantomData<fn() -> Shape>);

impl<M, F> Handler<M> for AsyncFnHandler<F, WithoutContext>
where
    M: Message,
    F: AsyncCall<(M,), M> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        self.0.call((msg,))
    }
}

impl<M, F> Handler<M> for AsyncFnHandler<F, WithContext>
where
    M: Message,
    F: for<'a> AsyncCall<(M, &'a Context<'a>), M> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        self.0.call((msg, cx))
    }
}

/// A handler made from a state and an async function by [`from_async_fn_with`].
pub struct AsyncWithHandler<S, F, Shape> {
    state: S,
    function: F,
    shape: PhantomData<fn() -> Shape>,
}

impl<M, S, F> Handler<M> for AsyncWithHandler<S, F, WithoutContext>
where
    M: Message,
    S: Send + Sync + 'static,
    F: for<'s> AsyncCall<(&'s S, M), M> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        self.function.call((&self.state, msg))
    }
}

impl<M, S, F> Handler<M> for AsyncWithHandler<S, F, WithContext>
where
    M: Message,
    S: Send + Sync + 'static,
    F: for<'s, 'a> AsyncCall<(&'s S, M, &'a Context<'a>), M> + Send + Sync + 'static,
{
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        self.function.call((&self.state, msg, cx))
    }
}

/// A handler made from a function with a detached context by [`from_detached_fn`].
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

impl<F: Clone, Shape> Clone for FnHandler<F, Shape> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<F: Clone, Shape> Clone for AsyncFnHandler<F, Shape> {
    fn clone(&self) -> Self {
        Self(self.0.clone(), PhantomData)
    }
}

impl<S: Clone, F: Clone, Shape> Clone for AsyncWithHandler<S, F, Shape> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            function: self.function.clone(),
            shape: PhantomData,
        }
    }
}

debug_name!([F, Shape] FnHandler<F, Shape>, "FnHandler");
debug_name!([F, Shape] AsyncFnHandler<F, Shape>, "AsyncFnHandler");
debug_name!([S, F, Shape] AsyncWithHandler<S, F, Shape>, "AsyncWithHandler");
debug_name!([F] DetachedFnHandler<F>, "DetachedFnHandler");
