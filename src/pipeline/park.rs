//! Driving a pipeline to its end: on this thread, or as part of a future.

use std::pin::{Pin, pin};
use std::task::{self, Poll, Waker};

use crate::context::{Context, Watch};
use crate::error::{Error, Outcome, Phase};
use crate::message::Message;
use crate::sync::Parker;

/// Runs `pipeline` to its end on this thread.
///
/// The first poll has a waker that does nothing: a pipeline that never waits is done with it, and
/// the compiler sees one straight function.
#[inline(always)]
pub(crate) fn block_on<M: Message>(
    pipeline: impl Future<Output = Outcome<M>>,
    cx: &Context<'_>,
) -> Outcome<M> {
    let mut pipeline = pin!(pipeline);
    let mut task = task::Context::from_waker(Waker::noop());
    match pipeline.as_mut().poll(&mut task) {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => wait::<M>(pipeline, cx),
    }
}

/// Polls `pipeline` and, if it is pending, asks whether `cx` was interrupted meanwhile.
#[inline(always)]
pub(crate) fn poll_bounded<M: Message>(
    pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
    watch: &mut Option<Box<Watch>>,
    task: &mut task::Context<'_>,
) -> Poll<Outcome<M>> {
    match pipeline.poll(task) {
        Poll::Ready(outcome) => Poll::Ready(outcome),
        Poll::Pending => match Watch::poll(watch, cx, task.waker()) {
            Ok(()) => Poll::Pending,
            Err(interrupt) => Poll::Ready(Err(interrupt.into_error(Phase::Indeterminate))),
        },
    }
}

#[cold]
fn wait<M: Message>(
    mut pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
) -> Outcome<M> {
    if let Some(advice) = refusal() {
        return Err(Error::WouldDeadlock { advice });
    }
    let parker = Parker::new();
    let waker = parker.waker();
    let mut task = task::Context::from_waker(&waker);
    let mut watch = None;
    loop {
        match poll_bounded::<M>(pipeline.as_mut(), cx, &mut watch, &mut task) {
            Poll::Ready(outcome) => return outcome,
            Poll::Pending => parker.park(),
        }
    }
}

/// Why this thread must not be parked, if it must not.
#[cfg(feature = "tokio")]
fn refusal() -> Option<&'static str> {
    use tokio::runtime::{Handle, RuntimeFlavor};
    let flavor = Handle::try_current().ok()?.runtime_flavor();
    (flavor == RuntimeFlavor::CurrentThread).then_some(
        "the handler waits, and execute_blocking would park the one thread of this current-thread \
         tokio runtime: await `execute` instead, use a multi-thread runtime, or dispatch from a \
         `std::thread`",
    )
}

#[cfg(not(feature = "tokio"))]
fn refusal() -> Option<&'static str> {
    None
}
