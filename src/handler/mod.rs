//! [`Handler`]: user code for one message type, and the adapters that make one of a function.

use crate::context::Context;
use crate::message::Message;
use crate::sync::Arc;

mod from_fn;

pub use from_fn::{
    AsyncFnHandler, AsyncHandlerFn, AsyncWithHandler, AsyncWithHandlerFn, DetachedFnHandler,
    FnHandler, from_async_fn, from_async_fn_with, from_detached_fn, from_fn,
};

/// User code for one message type.
///
/// Written as an `async fn`; one that never waits costs what a function costs. A type may handle
/// several messages, and then each registration names the message:
/// `register::<CreateUser, _>(service)`. An `Arc` of a handler is a handler.
///
/// ```
/// use arcbus::{Context, Handler, Message, Query};
///
/// struct GetUser {
///     id: u64,
/// }
///
/// impl Message for GetUser {
///     const NAME: &'static str = "user.get";
///     type Kind = Query;
///     type Reply = String;
///     type Error = String;
/// }
///
/// struct Users;
///
/// impl Handler<GetUser> for Users {
///     async fn handle(&self, msg: GetUser, _cx: &Context<'_>) -> Result<String, String> {
///         if msg.id == 7 { Ok("Ada".into()) } else { Err(format!("no user {}", msg.id)) }
///     }
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle the message `{M}`",
    label = "`Handler<{M}>` is not implemented for `{Self}`",
    note = "write `impl Handler<{M}>` for it, with `async fn handle(&self, msg: {M}, cx: &Context<'_>) -> Result<Reply, Error>`",
    note = "a function or closure becomes a handler through `arcbus::from_fn(..)`, an async one through `from_async_fn(..)` or `from_async_fn_with(..)`"
)]
pub trait Handler<M: Message>: Send + Sync + 'static {
    /// Handles one message. A panic in it is caught and becomes
    /// [`Error::Panicked`](crate::Error::Panicked).
    ///
    /// # Errors
    ///
    /// The message's own error; the caller gets it as [`Error::Handler`](crate::Error::Handler).
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send;
}

impl<M: Message, H: Handler<M>> Handler<M> for Arc<H> {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send {
        (**self).handle(msg, cx)
    }
}
