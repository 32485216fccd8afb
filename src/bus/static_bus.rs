//! [`static_bus!`](crate::static_bus): a bus whose handlers are fixed at compile time.

use std::future::poll_fn;
use std::pin::pin;

use crate::clock::Clock;
use crate::context::Context;
use crate::message::{Kind, Message, Same};
use crate::outcome::{Outcome, Phase};
use crate::pipeline::{Next, Quiet, RouteInfo, Ties, edge, poll_bounded};
use crate::registry::RegistrationError;

/// A static bus that has a handler for `M`. The macro [`static_bus!`](crate::static_bus) implements
/// this trait.
#[diagnostic::on_unimplemented(
    message = "no handler for the message `{M}` on the static bus `{Self}`",
    label = "`{M}` is not listed in this bus",
    note = "add a line `field: {M} => ItsHandler` to the `static_bus!` that defines it"
)]
pub trait Routes<M: Message>: Sync {
    /// The handler together with all layers around it.
    type Pipeline: Next<M>;

    #[doc(hidden)]
    fn pipeline(&self) -> &Self::Pipeline;

    #[doc(hidden)]
    fn clock(&self) -> &Clock;
}

/// The clock of a static bus, to which layers shared with other buses are tied.
#[doc(hidden)]
#[derive(Debug)]
pub struct StaticClock {
    clock: Clock,
    ties: Ties,
}

impl StaticClock {
    /// Returns the clock of the buses that share layers with this one, or the real clock without
    /// shared layers.
    ///
    /// # Panics
    ///
    /// Panics if those buses have different clocks.
    pub fn of(routes: &[RouteInfo]) -> Self {
        let mut ties = Ties::default();
        routes.iter().for_each(|route| ties.add(route));
        let clock = ties.clock().unwrap_or_default();
        Self { clock, ties }.held()
    }

    /// Replaces the clock from which the bus reads time.
    ///
    /// # Panics
    ///
    /// Panics if the bus shares layers with a bus that has a different clock.
    #[must_use]
    pub fn set(self, clock: Clock) -> Self {
        self.ties.release();
        Self { clock, ..self }.held()
    }

    #[inline(always)]
    pub fn get(&self) -> &Clock {
        &self.clock
    }

    fn held(self) -> Self {
        if let Err(tied) = self.ties.hold(&self.clock) {
            panic!("{}", RegistrationError::from(tied));
        }
        self
    }
}

/// Compiles if a message may go on a bus of kind `K` and has a name that is not blank:
///
/// ```compile_fail,E0080
/// use arcbus::{Context, Message, Query, static_bus};
///
/// struct Nameless;
/// impl Message for Nameless {
///     const NAME: &'static str = " ";
///     type Kind = Query;
///     type Reply = ();
///     type Error = std::convert::Infallible;
/// }
/// struct Answers;
/// impl arcbus::Handler<Nameless> for Answers {
///     async fn handle(&self, _: Nameless, _: &Context<'_>) -> Result<(), std::convert::Infallible> {
///         Ok(())
///     }
/// }
/// static_bus! {
///     struct Fixed: Query { nameless: Nameless => Answers }
/// }
/// Fixed::new(Answers); // error: a message of a static bus has a blank `NAME`
/// ```
#[doc(hidden)]
pub const fn assert_kind<M: Message<Kind: Same<K>>, K: Kind>() {
    assert!(
        !M::NAME.trim_ascii().is_empty(),
        "a message of a static bus has a blank `NAME`"
    );
}

/// Dispatches a message in the blocking lane of a static bus.
///
/// # Errors
///
/// Returns an error in the cases listed at `Bus::execute_blocking_with`.
#[doc(hidden)]
#[inline(always)]
pub fn block_static<M: Message, B: Routes<M>>(
    bus: &B,
    msg: M,
    cx: Option<Context<'_>>,
) -> Outcome<M> {
    let cx = begin::<M>(cx, bus.clock())?;
    edge::<M>(bus.pipeline().block(msg, &cx), &cx)
}

/// Dispatches a message in the async lane of a static bus.
#[doc(hidden)]
#[inline(always)]
pub async fn start_static<M: Message, B: Routes<M>>(
    bus: &B,
    msg: M,
    cx: Option<Context<'_>>,
) -> Outcome<M> {
    let cx = begin::<M>(cx, bus.clock())?;
    let pipeline = pin!(Some(bus.pipeline().run(msg, &cx)));
    let mut pipeline = Quiet::new(pipeline);
    let mut watch = None;
    poll_fn(|task| poll_bounded::<M>(pipeline.get(), &cx, &mut watch, task)).await
}

#[inline(always)]
fn begin<'a, M: Message>(
    cx: Option<Context<'a>>,
    clock: &'a Clock,
) -> Result<Context<'a>, crate::Error<M::Error>> {
    let Some(mut cx) = cx else {
        return Ok(Context::root(clock));
    };
    match cx.begin(clock) {
        Ok(()) => Ok(cx),
        Err(interrupt) => Err(interrupt.into_error(Phase::NotStarted)),
    }
}

/// Defines a bus whose handlers are fixed: a dispatch is a direct call, and a message without a
/// handler does not compile.
///
/// Each line is `field: Message => Handler`. The bus is created by `new(handlers in order)`, or by
/// `with_layers(&layers, handlers in order)`. The method `clock` sets its clock, and panics if a
/// layer is [shared](crate::LayerExt::shared) with a bus that has a different clock. Default: the
/// clock of the buses that share layers with this one, or else the real clock.
///
/// ```
/// use std::convert::Infallible;
/// use arcbus::{Context, Handler, Layers, Message, Query, guard, static_bus};
///
/// struct Double(u64);
/// impl Message for Double {
///     const NAME: &'static str = "double";
///     type Kind = Query;
///     type Reply = u64;
///     type Error = Infallible;
/// }
///
/// struct Arithmetic;
/// impl Handler<Double> for Arithmetic {
///     async fn handle(&self, msg: Double, _cx: &Context<'_>) -> Result<u64, Infallible> {
///         Ok(msg.0 * 2)
///     }
/// }
///
/// static_bus! {
///     /// Answers sums.
///     struct Sums: Query {
///         double: Double => Arithmetic,
///     }
/// }
///
/// let sums = Sums::new(Arithmetic);
/// assert_eq!(sums.execute_blocking(Double(21)), Ok(42));
///
/// let layers = Layers::new().wrap(guard(|_: &Double, _cx: &Context<'_>| Ok(())));
/// let guarded = Sums::with_layers(&layers, Arithmetic);
/// assert_eq!(guarded.execute_blocking(Double(21)), Ok(42));
/// ```
#[macro_export]
macro_rules! static_bus {
    (
        $(#[$attribute:meta])*
        $visibility:vis struct $bus:ident: $kind:ty {
            $($field:ident: $message:ty => $handler:ty),+ $(,)?
        }
    ) => {
        $(#[$attribute])*
        $visibility struct $bus<Layers = $crate::NoLayers>
        where
            $(Layers: $crate::Stack<$message>,)+
        {
            $($field: <Layers as $crate::Stack<$message>>::Around<$crate::__private::Leaf<$handler>>,)+
            clock: $crate::__private::StaticClock,
        }

        impl $bus {
            /// Creates the bus from one handler for each message, without layers.
            #[allow(dead_code)]
            $visibility fn new($($field: $handler),+) -> Self {
                Self::with_layers(&$crate::Layers::new(), $($field),+)
            }
        }

        #[allow(dead_code)]
        impl<Layers> $bus<Layers>
        where
            $(Layers: $crate::Stack<$message>,)+
        {
            /// Creates the bus with these layers around each handler, the first one outermost.
            $visibility fn with_layers(layers: &$crate::Layers<Layers>, $($field: $handler),+) -> Self {
                const { $($crate::__private::assert_kind::<$message, $kind>();)+ }
                Self {
                    $($field: layers.pipeline::<$message, $handler>($field),)+
                    clock: $crate::__private::StaticClock::of(&[$(layers.route::<$message>()),+]),
                }
            }

            /// Sets the clock from which the bus reads time.
            ///
            /// # Panics
            ///
            /// Panics if a layer is shared with a bus that has a different clock.
            #[must_use]
            $visibility fn clock(mut self, clock: impl ::core::convert::Into<$crate::Clock>) -> Self {
                self.clock = self.clock.set(clock.into());
                self
            }

            /// Dispatches `msg` by a direct call of its handler, and waits for the reply.
            #[inline(always)]
            $visibility fn execute<M: $crate::Message>(
                &self,
                msg: M,
            ) -> impl ::core::future::Future<Output = $crate::Outcome<M>> + ::core::marker::Send
            where
                Self: $crate::Routes<M>,
            {
                $crate::__private::start_static(self, msg, ::core::option::Option::None)
            }

            /// Dispatches `msg` with the context `cx` by a direct call, and waits for the reply.
            #[inline]
            $visibility fn execute_with<'a, M: $crate::Message>(
                &'a self,
                msg: M,
                cx: $crate::Context<'a>,
            ) -> impl ::core::future::Future<Output = $crate::Outcome<M>> + ::core::marker::Send
            where
                Self: $crate::Routes<M>,
            {
                $crate::__private::start_static(self, msg, ::core::option::Option::Some(cx))
            }

            /// Dispatches `msg` by a direct call, and runs its handler on this thread.
            ///
            /// # Errors
            ///
            /// Returns an error in the cases listed at `Bus::execute_blocking`.
            #[inline(always)]
            $visibility fn execute_blocking<M: $crate::Message>(&self, msg: M) -> $crate::Outcome<M>
            where
                Self: $crate::Routes<M>,
            {
                $crate::__private::block_static(self, msg, ::core::option::Option::None)
            }

            /// Dispatches `msg` with the context `cx` and runs its handler on this thread.
            ///
            /// # Errors
            ///
            /// Returns an error in the cases listed at `Bus::execute_blocking_with`.
            #[inline]
            $visibility fn execute_blocking_with<M: $crate::Message>(
                &self,
                msg: M,
                cx: $crate::Context<'_>,
            ) -> $crate::Outcome<M>
            where
                Self: $crate::Routes<M>,
            {
                $crate::__private::block_static(self, msg, ::core::option::Option::Some(cx))
            }
        }

        $crate::static_bus!(@routes $bus [$($message),+] $($field: $message => $handler),+);
    };

    (@routes $bus:ident $messages:tt $($field:ident: $message:ty => $handler:ty),+) => {
        $($crate::static_bus!(@route $bus $messages $field: $message => $handler);)+
    };

    (@route $bus:ident [$($messages:ty),+] $field:ident: $message:ty => $handler:ty) => {
        impl<Layers> $crate::Routes<$message> for $bus<Layers>
        where
            $(Layers: $crate::Stack<$messages>,)+
        {
            type Pipeline =
                <Layers as $crate::Stack<$message>>::Around<$crate::__private::Leaf<$handler>>;

            #[inline(always)]
            fn pipeline(&self) -> &Self::Pipeline {
                &self.$field
            }

            #[inline(always)]
            fn clock(&self) -> &$crate::Clock {
                self.clock.get()
            }
        }

        impl<Layers> $crate::Dispatch<$message> for $bus<Layers>
        where
            $(Layers: $crate::Stack<$messages>,)+
        {
            $crate::__forward_dispatch!($message);
        }

        impl<Layers> $crate::Dispatch<$message> for &$bus<Layers>
        where
            $(Layers: $crate::Stack<$messages>,)+
        {
            $crate::__forward_dispatch!($message);
        }
    };
}
