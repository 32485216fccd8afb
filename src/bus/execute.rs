//! [`Execute`]: the future of a dispatch.

use std::pin::Pin;
use std::task::{self, Poll};

use crate::clock::Clock;
use crate::context::{Context, Interrupt};
use crate::error::{Error, Outcome, Phase};
use crate::message::{Message, MessageType};
use crate::registry::{Frame, Launch, Typed};

/// Where a dispatch finds its route, when it begins.
pub(super) trait Target<'a, M: Message>: Unpin {
    fn clock(&self) -> &'a Clock;

    /// Runs `start` with the route, if there is one, while the table it is in is held.
    fn with_route<R>(&mut self, start: impl FnOnce(Option<Typed<'_, M>>) -> R) -> R;
}

/// The context a dispatch was given: its own, or none.
pub(super) trait Given<'a>: Unpin {
    fn begin(&mut self, clock: &'a Clock) -> Result<(), Interrupt>;
    fn context(&mut self) -> Option<&mut Context<'a>>;
}

/// No context was given.
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
}

/// A dispatch: runs nothing before its first poll.
///
/// Never replaced as a whole and never moved out of: the message leaves by reference, and the frame
/// is written only when the pipeline is pending. Copies of freshly written words, wider than they
/// were written, are what this lane would otherwise wait for.
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
        let clock = self.target.clock();
        if let Err(interrupt) = self.cx.begin(clock) {
            return self.refuse(interrupt.into_error(Phase::NotStarted));
        }
        let (msg, cx) = (&mut self.msg, self.cx.context());
        let launched = self
            .target
            .with_route(|route| route.map(|route| route.start(msg, cx, clock, task)));
        match launched {
            Some(Launch::Ready(outcome)) => Poll::Ready(outcome),
            Some(Launch::Pending(frame)) => self.keep(frame),
            None => self.refuse(not_found::<M>()),
        }
    }

    #[cold]
    fn keep(&mut self, frame: Frame<'a, M>) -> Poll<Outcome<M>> {
        self.frame = Some(frame);
        Poll::Pending
    }

    #[cold]
    fn refuse(&mut self, error: Error<M::Error>) -> Poll<Outcome<M>> {
        self.msg = None;
        Poll::Ready(Err(error))
    }

    #[cold]
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

/// The message is not pinned in here, nor is anything else.
impl<M: Message, T, C> Unpin for Execute<'_, M, T, C> {}

impl<'a, M: Message, T: Target<'a, M>, C: Given<'a>> Future for Execute<'a, M, T, C> {
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        let this = self.get_mut();
        if this.msg.is_some() {
            this.start(task)
        } else {
            this.resume(task)
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
    let clock = target.clock();
    if let Err(interrupt) = cx.begin(clock) {
        return Err(interrupt.into_error(Phase::NotStarted));
    }
    target.with_route(|route| match route {
        Some(route) => match cx.context() {
            Some(cx) => route.block_with(msg, cx),
            None => route.block(msg, clock),
        },
        None => Err(not_found::<M>()),
    })
}

#[cold]
pub(super) fn not_found<M: Message>() -> Error<M::Error> {
    Error::HandlerNotFound {
        message: MessageType::of::<M>(),
    }
}
