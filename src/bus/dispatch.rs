//! [`Dispatch`]: one trait for all bus handles.

use super::{Bus, LocalBus, Route};
use crate::context::Context;
use crate::message::{Kind, Message, Same};
use crate::outcome::Outcome;

/// Dispatches messages `M`, as every handle does. The methods take `&mut self`, and the trait is
/// also implemented for `&Bus`, like `Write` for `&File`.
///
/// # A struct that holds a bus
///
/// Such a struct needs no trait: a [`Bus`] dispatches by `&self`, and its type names neither layers
/// nor handlers.
///
/// ```
/// use std::error::Error;
/// use std::fmt;
/// use arcbus::{Context, Message, Query, QueryBus, from_fn};
///
/// struct GetUser {
///     id: u64,
/// }
///
/// impl Message for GetUser {
///     const NAME: &'static str = "user.get";
///     type Kind = Query;
///     type Reply = String;
///     type Error = NotFound;
/// }
///
/// #[derive(Debug)]
/// struct NotFound;
///
/// impl fmt::Display for NotFound {
///     fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
///         f.write_str("no such user")
///     }
/// }
///
/// impl Error for NotFound {}
///
/// struct Greeter {
///     bus: QueryBus,
/// }
///
/// impl Greeter {
///     fn greet(&self, id: u64) -> Result<String, Box<dyn Error>> {
///         let name = self.bus.execute_blocking(GetUser { id })?;
///         Ok(format!("Hello, {name}!"))
///     }
/// }
///
/// fn main() -> Result<(), Box<dyn Error>> {
///     let bus = QueryBus::builder()
///         .register(from_fn(|msg: GetUser, _: &Context<'_>| match msg.id {
///             7 => Ok("Ada".to_owned()),
///             _ => Err(NotFound),
///         }))
///         .build()?;
///     let greeter = Greeter { bus };
///     assert_eq!(greeter.greet(7)?, "Hello, Ada!");
///     assert_eq!(greeter.greet(8).unwrap_err().to_string(), "no such user");
///     Ok(())
/// }
/// ```
///
/// # Code for any handle
///
/// A function takes a `mut bus: impl Dispatch<M>`, which accepts a `&Bus`, a `&mut LocalBus` or a
/// [`Route`]. A struct that dispatches by `&self` needs the bound on the reference,
/// `for<'a> &'a B: Dispatch<M>`, because a bound `B: Dispatch<M>` would require `&mut self`.
///
/// ```
#[doc = include_str!("dispatch/example.in")]
/// fn name_of(mut bus: impl Dispatch<GetUser>, id: u64) -> Option<String> {
///     bus.execute_blocking(GetUser { id }).ok()
/// }
///
/// struct Greeter<B> {
///     bus: B,
/// }
///
/// impl<B> Greeter<B>
/// where
///     for<'a> &'a B: Dispatch<GetUser>,
/// {
///     async fn greet(&self, id: u64) -> Result<String, Error<NotFound>> {
///         let name = (&self.bus).execute(GetUser { id }).await?;
///         Ok(format!("Hello, {name}!"))
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn StdError>> {
/// let bus = users()?;
/// assert_eq!(name_of(&bus, 7).as_deref(), Some("Ada"));
/// assert_eq!(name_of(&mut bus.local(), 7).as_deref(), Some("Ada"));
/// assert_eq!(name_of(bus.route::<GetUser>()?, 8), None);
///
/// let greeter = Greeter { bus };
/// # async fn example(greeter: Greeter<QueryBus>) -> Result<(), Error<NotFound>> {
/// assert_eq!(greeter.greet(7).await?, "Hello, Ada!");
/// # Ok(())
/// # }
/// # ready(example(greeter))?;
/// # Ok(())
/// # }
/// ```
///
/// # A mock
///
/// The feature `testing` has a `Recorder`, a stand-in for a bus. A mock written by hand implements
/// two methods for a reference to the mock:
///
/// ```
#[doc = include_str!("dispatch/example.in")]
/// # struct Greeter<B> { bus: B }
/// # impl<B> Greeter<B> where for<'a> &'a B: Dispatch<GetUser> {
/// #     async fn greet(&self, id: u64) -> Result<String, Error<NotFound>> {
/// #         let name = (&self.bus).execute(GetUser { id }).await?;
/// #         Ok(format!("Hello, {name}!"))
/// #     }
/// # }
/// use std::sync::Mutex;
/// use arcbus::Outcome;
///
/// /// Gives every user one name, and remembers which users were asked for.
/// #[derive(Default)]
/// struct Mock {
///     asked: Mutex<Vec<u64>>,
/// }
///
/// impl Dispatch<GetUser> for &Mock {
///     async fn execute_with(&mut self, msg: GetUser, cx: Context<'_>) -> Outcome<GetUser> {
///         self.execute_blocking_with(msg, cx)
///     }
///
///     fn execute_blocking_with(&mut self, msg: GetUser, _cx: Context<'_>) -> Outcome<GetUser> {
///         self.asked.lock().unwrap().push(msg.id);
///         Ok("Grace".into())
///     }
/// }
///
/// let greeter = Greeter { bus: Mock::default() };
/// # async fn example(greeter: Greeter<Mock>) -> Result<(), Error<NotFound>> {
/// assert_eq!(greeter.greet(7).await?, "Hello, Grace!");
/// assert_eq!(*greeter.bus.asked.lock().unwrap(), [7]);
/// # Ok(())
/// # }
/// # ready(example(greeter)).unwrap();
/// ```
///
/// Code that holds a `QueryBus` can be tested without a mock. Build a bus whose handlers, made with
/// [`from_fn`](crate::from_fn), return the replies that the test needs.
///
/// # Instead of `dyn`
///
/// There is no `dyn Dispatch<M>`, since its methods return futures of their own types. A [`Bus`] is
/// already type-erased, so store a `Bus` in place of a `Box<dyn Dispatch<M>>`.
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not dispatch the message `{M}`",
    note = "a bus dispatches messages of its kind, a `Route` its one message, a static bus the messages it lists",
    note = "code that dispatches by `&self` demands it of the reference: `where for<'a> &'a B: Dispatch<{M}>`"
)]
#[doc(alias = "mock")]
#[doc(alias = "dyn")]
pub trait Dispatch<M: Message> {
    /// Dispatches `msg` with the context `cx`, like [`Bus::execute_with`].
    fn execute_with<'a>(
        &'a mut self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send; // instead of `dyn`, hold a `Bus`: it is erased

    /// Dispatches `msg` with the context `cx` and runs its handler on this thread, like
    /// [`Bus::execute_blocking_with`].
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`Bus::execute_blocking_with`].
    fn execute_blocking_with(&mut self, msg: M, cx: Context<'_>) -> Outcome<M>;

    /// Dispatches `msg` and waits for the reply, like [`Bus::execute`].
    fn execute(&mut self, msg: M) -> impl Future<Output = Outcome<M>> + Send {
        self.execute_with(msg, Context::new())
    }

    /// Dispatches `msg` and runs its handler on this thread, like [`Bus::execute_blocking`].
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`Bus::execute_blocking`].
    fn execute_blocking(&mut self, msg: M) -> Outcome<M> {
        self.execute_blocking_with(msg, Context::new())
    }

    /// Dispatches `msg` from within a dispatch whose context is `cx`, like [`Bus::execute_in`].
    fn execute_in<'a>(
        &'a mut self,
        cx: &'a Context<'_>,
        msg: M,
    ) -> impl Future<Output = Outcome<M>> + Send {
        self.execute_with(msg, cx.nested())
    }

    /// Dispatches `msg` from within a dispatch whose context is `cx`, on this thread, like
    /// [`Bus::execute_blocking_in`].
    ///
    /// # Errors
    ///
    /// Returns an error in the cases listed at [`Bus::execute_blocking_in`].
    fn execute_blocking_in(&mut self, cx: &Context<'_>, msg: M) -> Outcome<M> {
        self.execute_blocking_with(msg, cx.nested())
    }
}

/// Forwards the four dispatch methods to the inherent methods of these names.
#[doc(hidden)]
#[macro_export]
macro_rules! __forward_dispatch {
    ($message:ty) => {
        #[inline(always)]
        fn execute(
            &mut self,
            msg: $message,
        ) -> impl ::core::future::Future<Output = $crate::Outcome<$message>> + ::core::marker::Send
        {
            (*self).execute(msg)
        }

        #[inline]
        fn execute_with<'a>(
            &'a mut self,
            msg: $message,
            cx: $crate::Context<'a>,
        ) -> impl ::core::future::Future<Output = $crate::Outcome<$message>> + ::core::marker::Send
        {
            (*self).execute_with(msg, cx)
        }

        #[inline]
        fn execute_blocking(&mut self, msg: $message) -> $crate::Outcome<$message> {
            (*self).execute_blocking(msg)
        }

        #[inline]
        fn execute_blocking_with(
            &mut self,
            msg: $message,
            cx: $crate::Context<'_>,
        ) -> $crate::Outcome<$message> {
            (*self).execute_blocking_with(msg, cx)
        }
    };
}

/// Also implemented for a mutable reference to a handle, like `Write`.
impl<M: Message, D: Dispatch<M> + ?Sized> Dispatch<M> for &mut D {
    #[inline(always)]
    fn execute(&mut self, msg: M) -> impl Future<Output = Outcome<M>> + Send {
        D::execute(self, msg)
    }

    #[inline]
    fn execute_with<'a>(
        &'a mut self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        D::execute_with(self, msg, cx)
    }

    #[inline]
    fn execute_blocking(&mut self, msg: M) -> Outcome<M> {
        D::execute_blocking(self, msg)
    }

    #[inline]
    fn execute_blocking_with(&mut self, msg: M, cx: Context<'_>) -> Outcome<M> {
        D::execute_blocking_with(self, msg, cx)
    }
}

impl<K: Kind, M: Message<Kind: Same<K>>> Dispatch<M> for Bus<K> {
    __forward_dispatch!(M);
}

impl<K: Kind, M: Message<Kind: Same<K>>> Dispatch<M> for &Bus<K> {
    __forward_dispatch!(M);
}

impl<K: Kind, M: Message<Kind: Same<K>>> Dispatch<M> for LocalBus<K> {
    __forward_dispatch!(M);
}

impl<M: Message> Dispatch<M> for Route<M> {
    __forward_dispatch!(M);
}
