//! Bounds whose compile errors name the code to write.
//!
//! Each trait here stands for a few standard bounds, and is implemented for every type that meets
//! them, so nobody implements one by hand. Your own bounds name the standard traits:
//! `M: Message + Clone` implies [`MessageClone`].
//!
//! ```
//! use arcbus::bounds::MessageClone;
//! use arcbus::Message;
//!
//! fn needs<M: MessageClone>() {}
//!
//! fn has<M: Message + Clone>() {
//!     needs::<M>();
//! }
//! ```
//!
//! The blanket implementations are `do_not_recommend`. Without that attribute, the compiler would
//! report the missing standard trait, and not the reason why a layer needs it.

use std::error::Error as StdError;
use std::hash::Hash;

use crate::context::Context;
use crate::message::{Command, Kind, Message, Query, Same};

/// A handler error that is a standard error. Then [`Error`](crate::Error) is a standard error, too,
/// and `?` converts it into a `Box<dyn std::error::Error>` or an `anyhow::Error`.
///
/// Since `String` and `anyhow::Error` are not standard errors,
/// [`into_boxed`](crate::Error::into_boxed) exists for them.
#[diagnostic::on_unimplemented(
    message = "`arcbus::Error<{Self}>` is not a standard error, because `{Self}` is not one",
    label = "`{Self}` is not a `std::error::Error`: write `.map_err(arcbus::Error::into_boxed)?`, or use an error enum that is one",
    note = "`.map_err(arcbus::Error::into_boxed)` makes a boxed standard error of it",
    note = "a message whose error is an enum with `impl std::error::Error` needs no conversion"
)]
pub trait HandlerError: StdError + 'static {}

#[diagnostic::do_not_recommend]
impl<E: StdError + 'static> HandlerError for E {}

/// A message that can be cloned. Layers that may run a message more than once need this, since the
/// handler takes the message by value.
#[diagnostic::on_unimplemented(
    message = "the message `{Self}` cannot be copied, and a layer may run it more than once",
    label = "this layer needs `Clone` of the message `{Self}`",
    note = "add `#[derive(Clone)]` to `{Self}`",
    note = "or put the layer into a scope of the messages it is for: `.scope(|s| s.layer(..).register(..))`"
)]
pub trait MessageClone: Message + Clone {}

#[diagnostic::do_not_recommend]
impl<M: Message + Clone> MessageClone for M {}

/// A message that can be hashed. [`Idempotency`](crate::middleware::Idempotency) needs this, to
/// reject a different message under a key that is taken.
#[diagnostic::on_unimplemented(
    message = "the message `{Self}` cannot be hashed, and a layer tells messages apart by their hash",
    label = "this layer needs `Hash` of the message `{Self}`",
    note = "add `#[derive(Hash)]` to `{Self}`",
    note = "or put the layer into a scope of the messages it is for: `.scope(|s| s.layer(..).register(..))`"
)]
pub trait MessageHash: Message + Hash {}

#[diagnostic::do_not_recommend]
impl<M: Message + Hash> MessageHash for M {}

/// A reply, or a handler error, that can be given to several callers.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be given to more than one caller",
    label = "this layer needs `Clone + Sync` of `{Self}`",
    note = "add `#[derive(Clone)]` to `{Self}`, or let the handler give an `std::sync::Arc<{Self}>`",
    note = "or put the layer into a scope of the messages it is for: `.scope(|s| s.layer(..).register(..))`"
)]
pub trait ReplyClone: Clone + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<R: Clone + Send + Sync + 'static> ReplyClone for R {}

/// A key that a table stores, for example in the buckets of a rate limit.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "this layer needs `Clone + Eq + Hash + Send + Sync` of the key `{Self}`",
    note = "add `#[derive(Clone, PartialEq, Eq, Hash)]` to `{Self}`"
)]
pub trait KeptKey: Clone + Eq + Hash + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<K: Clone + Eq + Hash + Send + Sync + 'static> KeptKey for K {}

/// A borrowed form of a stored key for lookups, such as `str` for a stored `String`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be a key",
    label = "needs `Clone + Eq + Hash + Send + Sync` of the key `{Self}`",
    note = "add `#[derive(Clone, PartialEq, Eq, Hash)]` to `{Self}`"
)]
pub trait LookupKey: Eq + Hash + ToOwned<Owned: KeptKey> + Send + Sync + 'static {}

#[diagnostic::do_not_recommend]
impl<Q: Eq + Hash + ToOwned<Owned: KeptKey> + Send + Sync + 'static + ?Sized> LookupKey for Q {}

/// The kind [`Query`], whose messages only read and go on a [`QueryBus`](crate::QueryBus).
///
/// ```
/// use arcbus::middleware::Cacheable;
/// use arcbus::{Outcome, QueryBus};
///
/// fn ask<M: Cacheable>(bus: &QueryBus, msg: M) -> Outcome<M> {
///     bus.execute_blocking(msg)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "this is for queries, and the message is of kind `{Self}`",
    label = "the message has `type Kind = {Self}`, not `Query`",
    note = "a command is never answered from a cache: leave `Cacheable` and the layer out",
    note = "the layer `cache.invalidator()` drops from a cache what a command changes; `Idempotency` keeps a command from acting twice"
)]
pub trait QueryKind: Kind + Same<Query> {}

impl QueryKind for Query {}

/// The kind [`Command`], whose messages change something and go on a
/// [`CommandBus`](crate::CommandBus).
///
/// ```
/// use arcbus::{CommandBus, Idempotent, Outcome};
///
/// fn send<M: Idempotent>(bus: &CommandBus, msg: M) -> Outcome<M> {
///     bus.execute_blocking(msg)
/// }
/// ```
#[diagnostic::on_unimplemented(
    message = "this is for commands, and the message is of kind `{Self}`",
    label = "the message has `type Kind = {Self}`, not `Command`",
    note = "a query changes nothing, so it may be repeated, and has nothing to invalidate: leave this out"
)]
pub trait CommandKind: Kind + Same<Command> {}

impl CommandKind for Command {}

/// A message that is a query. [`Hedge`](crate::middleware::Hedge) needs this, because a hedge runs
/// one message twice concurrently.
#[diagnostic::on_unimplemented(
    message = "the message `{Self}` is not a query, and a layer may run it twice at a time",
    label = "this layer needs `type Kind = Query` of the message `{Self}`",
    note = "on a command leave `Hedge` out; `Retry` is for a command that is `Idempotent`"
)]
pub trait QueryMessage: Message<Kind = Query> {}

#[diagnostic::do_not_recommend]
impl<M: Message<Kind = Query>> QueryMessage for M {}

/// The shape of a handler function that takes a message alone.
#[derive(Debug)]
pub enum WithoutContext {}

/// The shape of a handler function that takes a message and a context.
#[derive(Debug)]
pub enum WithContext {}

/// A function or closure of a message, or of a message and a context. The compiler finds the
/// `Shape` by these arguments.
#[diagnostic::on_unimplemented(
    message = "this is not a handler function",
    label = "takes other arguments, or is an async closure that captures variables",
    note = "a handler function is `async fn name(msg: Message) -> Result<Reply, Error>`; a context comes last: `(msg: Message, cx: &Context<'_>)`",
    note = "put what an async closure captures into its state: `.handle_with(state, async |state: &State, msg: Message| ..)`",
    note = "or clone it into each future: `.handle(move |msg: Message| {{ let state = state.clone(); async move {{ .. }} }})`",
    note = "a closure names the types of its arguments: `|msg: Message, cx: &Context<'_>|`"
)]
pub trait HandlerFn<M, Shape> {}

#[diagnostic::do_not_recommend]
impl<M, F: CallableWith<(M,)>> HandlerFn<M, WithoutContext> for F {}

#[diagnostic::do_not_recommend]
impl<M, F> HandlerFn<M, WithContext> for F where F: for<'a> CallableWith<(M, &'a Context<'a>)> {}

/// A function or closure of a state and a message, or of a state, a message and a context. The
/// compiler finds the `Shape` by these arguments.
#[diagnostic::on_unimplemented(
    message = "this is not a handler function with the state `{S}`",
    label = "takes other arguments, or captures variables",
    note = "write `async fn name(state: &{S}, msg: Message) -> Result<Reply, Error>`; a context comes last: `(state: &{S}, msg: Message, cx: &Context<'_>)`",
    note = "put what an async closure captures into its state",
    note = "a closure names the types of its arguments: `async |state: &{S}, msg: Message| ..`"
)]
pub trait HandlerFnWith<S, M, Shape> {}

#[diagnostic::do_not_recommend]
impl<S, M, F> HandlerFnWith<S, M, WithoutContext> for F where F: for<'s> CallableWith<(&'s S, M)> {}

#[diagnostic::do_not_recommend]
impl<S, M, F> HandlerFnWith<S, M, WithContext> for F where
    F: for<'s, 'a> CallableWith<(&'s S, M, &'a Context<'a>)>
{
}

/// A function or closure that takes the arguments `Args` and returns the future of a handler of `M`.
pub trait AsyncCall<Args, M: Message> {
    /// The future that the function returns.
    type Future: Future<Output = Result<M::Reply, M::Error>> + Send;

    /// Calls the function with these arguments and returns its future.
    fn call(&self, args: Args) -> Self::Future;
}

impl<Args, M, F, Fut> AsyncCall<Args, M> for F
where
    M: Message,
    F: CallableWith<Args, Output = Fut>,
    Fut: Future<Output = Result<M::Reply, M::Error>> + Send, // the `reply` and `error` of its message
{
    type Future = Fut;

    #[inline(always)]
    fn call(&self, args: Args) -> Fut {
        CallableWith::call(self, args)
    }
}

/// A function or closure with the arguments `Args`, whose result borrows nothing from the closure
/// itself. An async closure that captures does not qualify, because its futures borrow the captured
/// variables.
pub trait CallableWith<Args> {
    /// The value that a call of the function returns, such as a future.
    type Output;

    /// Calls the function with these arguments and returns its result.
    fn call(&self, args: Args) -> Self::Output;
}

#[diagnostic::do_not_recommend]
impl<F: Fn(A) -> R, A, R> CallableWith<(A,)> for F {
    type Output = R;

    #[inline(always)]
    fn call(&self, (a,): (A,)) -> R {
        self(a)
    }
}

#[diagnostic::do_not_recommend]
impl<F: Fn(A, B) -> R, A, B, R> CallableWith<(A, B)> for F {
    type Output = R;

    #[inline(always)]
    fn call(&self, (a, b): (A, B)) -> R {
        self(a, b)
    }
}

#[diagnostic::do_not_recommend]
impl<F: Fn(A, B, C) -> R, A, B, C, R> CallableWith<(A, B, C)> for F {
    type Output = R;

    #[inline(always)]
    fn call(&self, (a, b, c): (A, B, C)) -> R {
        self(a, b, c)
    }
}

/// A message that may go on a bus of the kind `K`.
///
/// Used where the compiler infers the message from its handler, as in
/// [`register`](crate::BusBuilder::register). With a bound on the kind itself, the compiler would
/// first complain about that kind if a handler has several messages.
pub trait MessageOn<K>: Message<Kind: Same<K>> {}

impl<K, M: Message<Kind: Same<K>>> MessageOn<K> for M {}
