//! [`Execute`]: the future of a dispatch.

use std::pin::Pin;
use std::task::{self, Poll};

use crate::clock::Clock;
use crate::context::{Context, Interrupt};
use crate::message::{Message, MessageType};
use crate::outcome::{Error, Outcome, Phase};
use crate::registry::{Frame, Launch, Out, Pinned, Store, Table, Typed, Written};
use crate::sync::Guard;

/// The source of a dispatch's route, read when the dispatch begins.
pub(super) trait Target<'a, M: Message>: Unpin {
    /// The value that keeps the route alive while the handler is started.
    type Held<'h>: Holds<M>
    where
        Self: 'h;

    fn store(&self) -> &'a Store;
    fn hold(&mut self) -> Self::Held<'_>;
}

/// A table, or a part of a table, that is kept alive.
pub(super) trait Holds<M: Message> {
    fn route(&self) -> Option<Typed<'_, M>>;
}

impl<M: Message> Holds<M> for Option<&Pinned<M>> {
    #[inline(always)]
    fn route(&self) -> Option<Typed<'_, M>> {
        self.map(Pinned::get)
    }
}

impl<M: Message> Holds<M> for &Table {
    #[inline(always)]
    fn route(&self) -> Option<Typed<'_, M>> {
        self.get::<M>()
    }
}

impl<M: Message> Holds<M> for Guard<Table> {
    #[inline(always)]
    fn route(&self) -> Option<Typed<'_, M>> {
        self.get::<M>()
    }
}

/// The optional context with which the caller started a dispatch.
pub(super) trait Given<'a>: Unpin {
    fn begin(&mut self, clock: &'a Clock) -> Result<(), Interrupt>;
    fn context(&mut self) -> Option<&mut Context<'a>>;
    fn block<M: Message>(&self, route: Typed<'_, M>, msg: M, clock: &Clock) -> Outcome<M>;
}

/// The absence of a context, for a dispatch that was given none.
pub(super) struct Root;

impl<'a> Given<'a> for Root {
    #[inline(always)]
    fn begin(&mut self, _clock: &'a Clock) -> Result<(), Interrupt> {
        Ok(())
    }

    #[inline(always)]
    fn context(&mut self) -> Option<&mut Context<'a>> {
        None
    }

    #[inline(always)]
    fn block<M: Message>(&self, route: Typed<'_, M>, msg: M, clock: &Clock) -> Outcome<M> {
        route.block(msg, clock)
    }
}

impl<'a> Given<'a> for Context<'a> {
    #[inline]
    fn begin(&mut self, clock: &'a Clock) -> Result<(), Interrupt> {
        Context::begin(self, clock)
    }

    #[inline]
    fn context(&mut self) -> Option<&mut Context<'a>> {
        Some(self)
    }

    #[inline]
    fn block<M: Message>(&self, route: Typed<'_, M>, msg: M, _clock: &Clock) -> Outcome<M> {
        route.block_with(msg, self)
    }
}

/// The future of a dispatch, which runs nothing before its first poll.
///
/// The value is never replaced as a whole and never moved out of. The message leaves by reference,
/// and the frame is written only when the pipeline is pending. Otherwise this lane would stall on
/// wide copies of words that were just written.
pub(super) struct Execute<'a, M: Message, T, C> {
    target: T,
    msg: Option<M>,
    cx: C,
    frame: Option<Frame<'a, M>>,
}

impl<'a, M: Message, T: Target<'a, M>, C: Given<'a>> Execute<'a, M, T, C> {
    #[inline(always)]
    pub(super) fn new(target: T, msg: M, cx: C) -> Self {
        Self {
            target,
            msg: Some(msg),
            cx,
            frame: None,
        }
    }

    #[inline(always)]
    fn start(&mut self, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let store = self.target.store();
        let clock = store.clock();
        if let Err(interrupt) = self.cx.begin(clock) {
            self.msg = None;
            return Poll::Ready(Err(interrupt.into_error(Phase::NotStarted)));
        }
        let held = self.target.hold();
        let Some(route) = held.route() else {
            self.msg = None;
            return Poll::Ready(Err(not_found::<M>(store)));
        };
        let mut out = Out::new();
        match route.start(&mut self.msg, self.cx.context(), clock, task, &mut out) {
            // The message is taken after the table is released, when the message has reached memory.
            // A wide read right after the write would stall.
            Launch::Reply(reply) => {
                drop(held);
                Poll::Ready(Ok(reply.take()))
            }
            Launch::Error(error) => failed::<M>(error),
            Launch::Pending(frame) => {
                self.frame = Some(frame);
                Poll::Pending
            }
        }
    }

    #[cold]
    #[inline(never)]
    fn resume(&mut self, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let Some(frame) = &mut self.frame else {
            panic!("a dispatch was polled after completion");
        };
        let polled = frame.poll(task);
        if polled.is_ready() {
            self.frame = None;
        }
        polled
    }
}

/// Neither the message nor any other field is pinned in place.
impl<M: Message, T, C> Unpin for Execute<'_, M, T, C> {}

impl<'a, M: Message, T: Target<'a, M>, C: Given<'a>> Future for Execute<'a, M, T, C> {
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let this = self.get_mut();
        if this.msg.is_some() {
            return this.start(task);
        }
        match this.resume(task) {
            Poll::Ready(Ok(reply)) => Poll::Ready(Ok(reply)),
            Poll::Ready(Err(error)) => Poll::Ready(Err(error)),
            Poll::Pending => Poll::Pending,
        }
    }
}

/// Runs a dispatch to its end on this thread.
#[inline(always)]
pub(super) fn block<'a, M: Message, C: Given<'a>>(
    mut target: impl Target<'a, M>,
    msg: M,
    mut cx: C,
) -> Outcome<M> {
    let store = target.store();
    let clock = store.clock();
    if let Err(interrupt) = cx.begin(clock) {
        return Err(interrupt.into_error(Phase::NotStarted));
    }
    let held = target.hold();
    match held.route() {
        Some(route) => cx.block(route, msg, clock),
        None => Err(not_found::<M>(store)),
    }
}

/// Kept apart, so that a reply is not merged with an error. The extra words of an error would
/// otherwise be copied in both cases, from memory that was just written.
#[cold]
#[inline(never)]
fn failed<M: Message>(error: Written<'_, Error<M::Error>>) -> Poll<Outcome<M>> {
    Poll::Ready(Err(error.take()))
}

/// Counts a message without a handler, and returns its error.
#[cold]
#[inline(never)]
fn not_found<M: Message>(store: &Store) -> Error<M::Error> {
    store.unhandled().count::<M>();
    Error::HandlerNotFound {
        message: MessageType::of::<M>(),
    }
}
