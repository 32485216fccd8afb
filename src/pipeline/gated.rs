//! [`Gated`]: the adapter that makes a middleware of a gate.

use std::pin::Pin;
use std::task::{self, Poll};

use pin_project_lite::pin_project;

use super::gate::Entry;
use super::{Facts, Gate, Middleware, Role};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Outcome};

/// The methods of a middleware that goes through an [`Entry`], in both lanes, on or switched off. It enters
/// at once, so that the message is handed on instead of being stored a second time.
///
/// The bodies are written out here: a debug build copies the message for each function that it is handed
/// to.
macro_rules! through_entry {
    ($this:ident => $entry:expr) => {
        #[inline(always)]
        fn handle(
            &self,
            msg: M,
            cx: &$crate::context::Context<'_>,
            next: &impl $crate::pipeline::Next<M>,
        ) -> impl Future<Output = $crate::outcome::Outcome<M>> + Send {
            let $this = self;
            $crate::pipeline::through_entry!(@run $entry, msg, cx, next)
        }

        #[inline(always)]
        fn handle_optional(
            this: Option<&Self>,
            msg: M,
            cx: &$crate::context::Context<'_>,
            next: &impl $crate::pipeline::Next<M>,
        ) -> impl Future<Output = $crate::outcome::Outcome<M>> + Send {
            $crate::pipeline::through_entry!(@run this.map(|$this| $entry), msg, cx, next)
        }

        #[inline(always)]
        fn block(
            &self,
            msg: M,
            cx: &$crate::context::Context<'_>,
            next: &impl $crate::pipeline::Next<M>,
        ) -> $crate::pipeline::Blocked<M> {
            let $this = self;
            $crate::pipeline::through_entry!(@block $entry, msg, cx, next)
        }

        #[inline(always)]
        fn block_optional(
            this: Option<&Self>,
            msg: M,
            cx: &$crate::context::Context<'_>,
            next: &impl $crate::pipeline::Next<M>,
        ) -> $crate::pipeline::Blocked<M> {
            $crate::pipeline::through_entry!(@block this.map(|$this| $entry), msg, cx, next)
        }
    };
    (@run $entry:expr, $msg:ident, $cx:ident, $next:ident) => {{
        let entry = $entry;
        match $crate::pipeline::Entry::<M>::enter(&entry, &$msg, $cx) {
            Ok(pass) => {
                $crate::pipeline::GatedFuture::<M, _, _>::entered(entry, $cx, pass, $next.run($msg, $cx))
            }
            Err(error) => $crate::pipeline::GatedFuture::<M, _, _>::refused(entry, $cx, error),
        }
    }};
    (@block $entry:expr, $msg:ident, $cx:ident, $next:ident) => {{
        let entry = $entry;
        match $crate::pipeline::Entry::<M>::enter(&entry, &$msg, $cx) {
            Ok(pass) => {
                let outcome = $next.block($msg, $cx)?;
                $crate::pipeline::Entry::<M>::leave(&entry, pass, &outcome, $cx);
                Ok(outcome)
            }
            Err(error) => Ok(Err(error)),
        }
    }};
}
pub(crate) use through_entry;

/// A gate as a middleware: `.wrap(Gated(gate))`, or the `Middleware` type of a gate's layer.
#[derive(Clone, Copy, Debug, Default)]
pub struct Gated<G>(pub G);

impl<M: Message, G: Gate<M>> Middleware<M> for Gated<G> {
    const ROLE: Role = G::ROLE;

    through_entry!(this => &this.0);

    fn facts(&self) -> Facts {
        self.0.facts()
    }

    fn is_on(&self) -> bool {
        self.0.is_on()
    }
}

/// Shows the gate an error.
#[cold]
#[inline(never)]
fn failed<'c, M: Message, G: Entry<'c, M>>(
    gate: G,
    pass: Option<G::Pass>,
    error: Error<M::Error>,
    cx: &'c Context<'c>,
) -> Outcome<M> {
    let outcome = Err(error);
    if let Some(pass) = pass {
        gate.leave(pass, &outcome, cx);
    }
    outcome
}

pin_project! {
    // A struct, and not an enum of what passed and what was refused: there a pass and an error have one
    // place, the compiler writes what they have in common byte by byte, and whoever reads it waits for
    // the store (2026-11: 5 ns with any gate that may refuse, and 0.3 ns so).
    pub(crate) struct GatedFuture<'c, M: Message, G: Entry<'c, M>, F> {
        gate: G,
        cx: &'c Context<'c>,
        // Before `pass`, and so dropped before it: the pass is held while the rest is there.
        #[pin]
        rest: Option<F>,
        pass: Option<G::Pass>,
        refused: Option<Error<M::Error>>,
    }
}

impl<'c, M: Message, G: Entry<'c, M>, F> GatedFuture<'c, M, G, F> {
    #[inline(always)]
    pub(crate) fn entered(gate: G, cx: &'c Context<'c>, pass: G::Pass, rest: F) -> Self {
        Self {
            gate,
            cx,
            rest: Some(rest),
            pass: Some(pass),
            refused: None,
        }
    }

    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    pub(crate) fn refused(gate: G, cx: &'c Context<'c>, error: Error<M::Error>) -> Self {
        Self {
            gate,
            cx,
            rest: None,
            pass: None,
            refused: Some(error),
        }
    }
}

impl<'c, M, G, F> Future for GatedFuture<'c, M, G, F>
where
    M: Message,
    G: Entry<'c, M>,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let this = self.project();
        let Some(rest) = this.rest.as_pin_mut() else {
            return Poll::Ready(Err(this.refused.take().expect("polled after completion")));
        };
        match rest.poll(task) {
            // Taken apart, so that a reply stays in registers: an outcome whose error is looked at
            // has to stand in memory.
            Poll::Ready(Ok(reply)) => {
                let outcome = Ok(reply);
                if let Some(pass) = this.pass.take() {
                    this.gate.leave(pass, &outcome, this.cx);
                }
                Poll::Ready(outcome)
            }
            Poll::Ready(Err(error)) => {
                Poll::Ready(failed(*this.gate, this.pass.take(), error, this.cx))
            }
            Poll::Pending => Poll::Pending,
        }
    }
}
