//! [`Chain`]: a middleware around its inner service.

use std::any::Any;

use super::middleware::sealed::Sealed;
use super::park::Blocked;
use super::{Home, Middleware, Next};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::Outcome;

/// A middleware and its inner service.
pub struct Chain<W, N> {
    middleware: W,
    next: N,
}

impl<W, N> Chain<W, N> {
    pub(super) fn new(middleware: W, next: N) -> Self {
        Self { middleware, next }
    }
}

impl<W, N> Sealed for Chain<W, N> {}

impl<M: Message, W: Middleware<M>, N: Next<M>> Next<M> for Chain<W, N> {
    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn run(&self, msg: M, cx: &Context<'_>) -> impl Future<Output = Outcome<M>> + Send {
        self.middleware.handle(msg, cx, &self.next)
    }

    #[cfg_attr(debug_assertions, inline(never))]
    #[cfg_attr(not(debug_assertions), inline(always))]
    fn block(&self, msg: M, cx: &Context<'_>) -> Blocked<M> {
        self.middleware.block(msg, cx, &self.next)
    }

    fn middleware_at(&self, place: usize) -> Option<&dyn Any> {
        match place.checked_sub(1) {
            None => Some(&self.middleware),
            Some(place) => self.next.middleware_at(place),
        }
    }

    fn home(&self) -> &Home {
        self.next.home()
    }
}

debug_name!([W, N] Chain<W, N>, "Chain");
