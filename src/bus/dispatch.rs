//! [`Dispatch`]: one trait over all handles.

use super::{Bus, LocalBus, Route};
use crate::context::Context;
use crate::error::Outcome;
use crate::message::{Kind, Message, Same};

/// Dispatches messages `M`: every handle does. Takes `&mut self`, and is implemented for `&Bus` too,
/// as `Write` is for `&File`.
///
/// ```
/// use arcbus::{Context, Dispatch, Message, Query, QueryBus, from_fn};
///
/// struct Double(u64);
/// impl Message for Double {
///     const NAME: &'static str = "double";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = String;
/// }
///
/// fn quadruple(mut bus: impl Dispatch<Double>, value: u64) -> u64 {
///     let twice = bus.execute_blocking(Double(value)).unwrap();
///     bus.execute_blocking(Double(twice)).unwrap()
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let bus = QueryBus::builder()
///     .register(from_fn(|msg: Double, _cx: &Context<'_>| Ok(msg.0 * 2)))
///     .build()?;
/// assert_eq!(quadruple(&bus, 1), 4);
/// assert_eq!(quadruple(&mut bus.local(), 2), 8);
/// assert_eq!(quadruple(bus.route::<Double>()?, 3), 12);
/// # Ok(())
/// # }
/// ```
#[diagnostic::on_unimplemented(
    message = "`{Self}` does not dispatch the message `{M}`",
    note = "a bus dispatches messages of its kind, a `Route` its one message, a static bus the messages it lists"
)]
pub trait Dispatch<M: Message> {
    /// Dispatches `msg`; awaits the reply. See [`Bus::execute`].
    fn execute(&mut self, msg: M) -> impl Future<Output = Outcome<M>> + Send;

    /// Dispatches `msg` in `cx`. See [`Bus::execute_with`].
    fn execute_with<'a>(
        &'a mut self,
        msg: M,
        cx: Context<'a>,
    ) -> impl Future<Output = Outcome<M>> + Send;

    /// Dispatches `msg` and runs its handler on this thread. See [`Bus::execute_blocking`].
    ///
    /// # Errors
    ///
    /// As there.
    fn execute_blocking(&mut self, msg: M) -> Outcome<M>;

    /// [`execute_blocking`](Dispatch::execute_blocking) in `cx`.
    ///
    /// # Errors
    ///
    /// As [`Bus::execute_blocking_with`].
    fn execute_blocking_with(&mut self, msg: M, cx: Context<'_>) -> Outcome<M>;

    /// Dispatches `msg` from within a dispatch whose context is `cx`. See [`Bus::execute_in`].
    fn execute_in<'a>(
        &'a mut self,
        cx: &'a Context<'_>,
        msg: M,
    ) -> impl Future<Output = Outcome<M>> + Send {
        self.execute_with(msg, cx.nested())
    }

    /// Blocking, from within a dispatch whose context is `cx`.
    ///
    /// # Errors
    ///
    /// As [`Bus::execute_blocking_in`].
    fn execute_blocking_in(&mut self, cx: &Context<'_>, msg: M) -> Outcome<M> {
        self.execute_blocking_with(msg, cx.nested())
    }
}

/// Forwards the four ways to dispatch to the inherent methods of the same name.
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

/// By reference, too, as `Write` is.
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
