//! [`Selected`]: the adapter of a middleware that acts on some messages only.

use std::fmt;

use super::park::Blocked;
use super::{Extract, Middleware, Next};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;
use crate::sync::PlainArc;

/// A middleware that acts if a condition holds, and is passed by otherwise.
pub struct Selected<C, W> {
    pub(crate) condition: PlainArc<C>,
    pub(crate) middleware: W,
}

#[diagnostic::do_not_recommend]
impl<M: Message, C: Extract<M, bool>, W: Middleware<M>> Middleware<M> for Selected<C, W> {
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        let acts = self.condition.extract(&msg, cx).then_some(&self.middleware);
        W::handle_optional(acts, msg, cx, next)
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        let acts = self.condition.extract(&msg, cx).then_some(&self.middleware);
        W::block_optional(acts, msg, cx, next)
    }

    fn is_on(&self) -> bool {
        self.middleware.is_on()
    }
}

impl<C, W: fmt::Debug> fmt::Debug for Selected<C, W> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "When({:?})", self.middleware)
    }
}
