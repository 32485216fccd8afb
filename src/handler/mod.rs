//! [`Handler`]: user code for one message type, and the adapters that turn functions into handlers.

use crate::context::Context;
use crate::message::Message;
use crate::sync::Arc;

mod from_fn;

pub use from_fn::{
    AsyncFnHandler, AsyncWithHandler, DetachedFnHandler, FnHandler, from_async_fn,
    from_async_fn_with, from_detached_fn, from_fn,
};

/// User code for one message type.
///
/// A function is a handler through [`.handle(f)`](crate::BusBuilder::handle), and so are the methods of a
/// type through [`#[handlers]`](crate::handlers). Written by hand, a handler is an `async fn`, and one
/// that never waits costs no more than a plain function. An `Arc` of a handler is a handler, too.
///
/// ```
/// use std::fmt;
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
///     type Error = GetUserError;
/// }
///
/// #[derive(Debug)]
/// enum GetUserError {
///     NotFound(u64),
/// }
///
/// impl fmt::Display for GetUserError {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         match self {
///             Self::NotFound(id) => write!(f, "no user {id}"),
///         }
///     }
/// }
///
/// impl std::error::Error for GetUserError {}
///
/// struct Users;
///
/// impl Handler<GetUser> for Users {
///     async fn handle(&self, msg: GetUser, _cx: &Context<'_>) -> Result<String, GetUserError> {
///         if msg.id == 7 { Ok("Ada".into()) } else { Err(GetUserError::NotFound(msg.id)) }
///     }
/// }
/// ```
///
/// # Several messages
///
/// A type that handles several messages is registered once for each of them, and each registration
/// names its message. Otherwise the compiler reports "type annotations needed".
///
/// ```
/// # use std::convert::Infallible;
/// # use std::sync::Arc;
/// # use arcbus::{Command, CommandBus, Context, Handler, Message};
/// # struct CreateUser;
/// # impl Message for CreateUser {
/// #     const NAME: &'static str = "user.create";
/// #     type Kind = Command;
/// #     type Reply = ();
/// #     type Error = Infallible;
/// # }
/// # struct DeleteUser;
/// # impl Message for DeleteUser {
/// #     const NAME: &'static str = "user.delete";
/// #     type Kind = Command;
/// #     type Reply = ();
/// #     type Error = Infallible;
/// # }
/// struct Users;
///
/// impl Handler<CreateUser> for Users {
///     async fn handle(&self, _msg: CreateUser, _cx: &Context<'_>) -> Result<(), Infallible> {
///         Ok(())
///     }
/// }
///
/// impl Handler<DeleteUser> for Users {
///     async fn handle(&self, _msg: DeleteUser, _cx: &Context<'_>) -> Result<(), Infallible> {
///         Ok(())
///     }
/// }
///
/// let users = Arc::new(Users);
/// let bus = CommandBus::builder()
///     .register::<CreateUser, _>(users.clone())
///     .register::<DeleteUser, _>(users)
///     .build()?;
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not handle the message `{M}`",
    label = "`Handler<{M}>` is not implemented for `{Self}`",
    note = "write `impl Handler<{M}>` for it, with `async fn handle(&self, msg: {M}, cx: &Context<'_>) -> Result<Reply, Error>`",
    note = "an async function or closure goes through `.handle(f)` or `from_async_fn(f)`, with state through `.handle_with(state, f)` or `from_async_fn_with(state, f)`, a plain one through `.handle_sync(f)` or `from_fn(f)`"
)]
pub trait Handler<M: Message>: Send + Sync + 'static {
    /// Handles one message of the dispatch whose context is `cx`. A panic is caught, and the caller
    /// receives [`Error::Panicked`](crate::Error::Panicked) in place of a reply.
    ///
    /// # Errors
    ///
    /// Returns the message's own error, which the caller receives as
    /// [`Error::Handler`](crate::Error::Handler).
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
    ) -> impl Future<Output = Result<M::Reply, M::Error>> + Send; // instead of `dyn`, register it
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
