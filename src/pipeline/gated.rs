//! [`Gated`]: the adapter from a gate to a middleware, in both lanes.

use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::park::Blocked;
use super::{Facts, Gate, Middleware, Next, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

/// A gate as a middleware: `.wrap(Gated(gate))`, or the `Middleware` type of a gate's layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gated<G>(pub G);

/// Enters at once, so that the message is handed on instead of being stored a second time.
///
/// Macros rather than functions: a debug build copies the message for each function that takes the message.
macro_rules! run {
    ($gate:expr, $msg:ident, $cx:ident, $next:ident) => {
        match Held::enter($gate, &$msg, $cx) {
            Ok(held) => GatedFuture {
                inner: Some({
                    let _around = held.surround();
                    $next.run($msg, $cx)
                }),
                held,
                refused: None,
            },
            Err(error) => GatedFuture::refused(error),
        }
    };
}

macro_rules! block {
    ($gate:expr, $msg:ident, $cx:ident, $next:ident) => {
        match Held::enter($gate, &$msg, $cx) {
            Ok(mut held) => {
                let outcome = {
                    let _around = held.surround();
                    $next.block($msg, $cx)?
                };
                held.leave(&outcome);
                Ok(outcome)
            }
            Err(error) => Ok(Err(error)),
        }
    };
}

impl<M: Message, G: Gate<M>> Middleware<M> for Gated<G> {
    const ROLE: Role = G::ROLE;

    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        run!(Some(&self.0), msg, cx, next)
    }

    #[inline(always)]
    fn handle_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        run!(this.map(|this| &this.0), msg, cx, next)
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        block!(Some(&self.0), msg, cx, next)
    }

    #[inline(always)]
    fn block_optional(
        this: Option<&Self>,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M> {
        block!(this.map(|this| &this.0), msg, cx, next)
    }

    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn is_on(&self) -> bool {
        self.0.is_on()
    }
}

/// The pass of a dispatch, if a gate gave a pass. The gate gets the pass back once, either with the outcome,
/// or as abandoned when this guard drops.
struct Held<'g, 'c, M: Message, G: Gate<M>>(Option<Entered<'g, 'c, M, G>>);

struct Entered<'g, 'c, M: Message, G: Gate<M>> {
    gate: &'g G,
    cx: &'c Context<'c>,
    pass: G::Pass<'g>,
}

impl<'g, 'c, M: Message, G: Gate<M>> Held<'g, 'c, M, G> {
    /// Enters `gate` if there is a gate, and holds the pass.
    #[inline(always)]
    fn enter(gate: Option<&'g G>, msg: &M, cx: &'c Context<'c>) -> Result<Self, Error<M::Error>> {
        let Some(gate) = gate else {
            return Ok(Self(None));
        };
        let pass = gate.enter(msg, cx)?;
        Ok(Self(Some(Entered { gate, cx, pass })))
    }

    #[inline(always)]
    fn surround(&self) -> impl Sized {
        let entered = self.0.as_ref();
        entered.map(|entered| entered.gate.surround(&entered.pass))
    }

    #[inline(always)]
    fn leave(&mut self, outcome: &Outcome<M>) {
        if let Some(Entered { gate, cx, pass }) = self.0.take() {
            gate.leave(pass, outcome, cx);
        }
    }

    /// Gives the pass back to the gate with an error as the outcome.
    #[cold]
    #[inline(never)]
    fn failed(&mut self, error: Error<M::Error>) -> Outcome<M> {
        let outcome = Err(error);
        self.leave(&outcome);
        outcome
    }
}

impl<M: Message, G: Gate<M>> Drop for Held<'_, '_, M, G> {
    #[inline(always)]
    fn drop(&mut self) {
        if let Some(Entered { gate, cx, pass }) = self.0.take() {
            gate.abandon(pass, cx);
        }
    }
}

/// Returns whether a gate has a guard, known at compile time. Without a guard, dropping the inner future
/// early would cost 9 instructions for each awaited gate, and 20 more on completion (2026-11).
#[inline(always)]
fn is_guard<T>(_: &T) -> bool {
    std::mem::needs_drop::<T>()
}

/// Drops the inner future. The function is not inlined in a debug build, which would keep room for the value
/// that is set.
#[cfg_attr(debug_assertions, inline(never))]
#[cfg_attr(not(debug_assertions), inline(always))]
fn clear<F>(mut inner: Pin<&mut Option<F>>) {
    inner.set(None);
}

pin_project! {
    // A struct rather than an enum of passed and refused. In an enum a pass and an error share a place, so
    // the compiler writes their common part byte by byte, and each reader waits for the store. The enum costs
    // 5 ns with any gate that may refuse, and the struct 0.3 ns (2026-11).
    struct GatedFuture<'g, 'c, M: Message, G: Gate<M>, F> {
        #[pin]
        inner: Option<F>,
        held: Held<'g, 'c, M, G>,
        refused: Option<Error<M::Error>>,
    }

    impl<M: Message, G: Gate<M>, F> PinnedDrop for GatedFuture<'_, '_, M, G, F> {
        // The pass is held while the inner future exists.
        #[inline(always)]
        fn drop(this: Pin<&mut Self>) {
            let this = this.project();
            let around = this.held.surround();
            if is_guard(&around) {
                clear(this.inner);
            }
        }
    }
}

impl<'g, 'c, M: Message, G: Gate<M>, F> GatedFuture<'g, 'c, M, G, F> {
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn refused(error: Error<M::Error>) -> Self {
        Self {
            inner: None,
            held: Held(None),
            refused: Some(error),
        }
    }
}

impl<M, G, F> Future for GatedFuture<'_, '_, M, G, F>
where
    M: Message,
    G: Gate<M>,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let mut this = self.project();
        let polled = {
            let around = this.held.surround();
            let Some(inner) = this.inner.as_mut().as_pin_mut() else {
                return Poll::Ready(Err(this.refused.take().expect("polled after completion")));
            };
            let polled = inner.poll(task);
            if is_guard(&around) && polled.is_ready() {
                clear(this.inner);
            }
            polled
        };
        match polled {
            // Taken apart, so that a reply stays in registers. An outcome whose error is inspected has to
            // stand in memory.
            Poll::Ready(Ok(reply)) => {
                let outcome = Ok(reply);
                this.held.leave(&outcome);
                Poll::Ready(outcome)
            }
            Poll::Ready(Err(error)) => Poll::Ready(this.held.failed(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}
