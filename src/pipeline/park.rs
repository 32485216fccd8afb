//! Driving a pipeline to its end: on this thread, or as part of a future.

use std::pin::{Pin, pin};
use std::task::{self, Poll, Waker};

use pin_project_lite::pin_project;

use crate::context::{Context, Watch};
use crate::error::{Error, Outcome, Phase};
use crate::message::Message;
use crate::sync::Parker;
use crate::unwind::drop_caught;

pin_project! {
    /// A pipeline whose drop does not panic: that of a handler that is cut short may.
    ///
    /// Around the whole, and not around the handler's future alone: a drop of its own that far inside
    /// keeps the compiler from seeing through a deep stack (2026-11: 91 instructions more with five
    /// gates).
    pub(crate) struct Quiet<F> {
        #[pin]
        pipeline: Option<F>,
    }

    impl<F> PinnedDrop for Quiet<F> {
        #[inline(always)]
        fn drop(this: Pin<&mut Self>) {
            let mut pipeline = this.project().pipeline;
            drop_caught(|| pipeline.set(None));
        }
    }
}

impl<F> Quiet<F> {
    #[inline(always)]
    pub(crate) fn new(pipeline: F) -> Self {
        Self {
            pipeline: Some(pipeline),
        }
    }

    #[inline(always)]
    pub(crate) fn get(self: Pin<&mut Self>) -> Pin<&mut F> {
        let pipeline = self.project().pipeline.as_pin_mut();
        pipeline.expect("there until the drop")
    }
}

/// Runs `pipeline` to its end on this thread.
///
/// The first poll has a waker that does nothing: a pipeline that never waits is done with it, and
/// the compiler sees one straight function.
#[inline(always)]
pub(crate) fn block_on<M: Message>(
    pipeline: impl Future<Output = Outcome<M>>,
    cx: &Context<'_>,
) -> Outcome<M> {
    let mut pipeline = pin!(Quiet::new(pipeline));
    let mut task = task::Context::from_waker(Waker::noop());
    match pipeline.as_mut().get().poll(&mut task) {
        Poll::Ready(Ok(reply)) => Ok(reply),
        Poll::Ready(Err(error)) => failed::<M>(error),
        Poll::Pending => wait::<M>(pipeline.as_mut().get(), cx),
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
        Poll::Pending => match watch_bounds::<M>(cx, watch, task) {
            Ok(()) => Poll::Pending,
            Err(error) => Poll::Ready(Err(error)),
        },
    }
}

/// Asks, after a poll that was pending, whether `cx` was interrupted meanwhile; if not, makes sure
/// that `task` is woken when it is.
pub(crate) fn watch_bounds<M: Message>(
    cx: &Context<'_>,
    watch: &mut Option<Box<Watch>>,
    task: &mut task::Context<'_>,
) -> Result<(), Error<M::Error>> {
    Watch::bounds(watch, cx, task.waker())
        .map_err(|interrupt| interrupt.into_error(Phase::Indeterminate))
}

/// Apart, so that a reply is not moved by way of the room for an error.
#[cold]
#[inline(never)]
fn failed<M: Message>(error: Error<M::Error>) -> Outcome<M> {
    Err(error)
}

#[cold]
fn wait<M: Message>(
    pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
) -> Outcome<M> {
    where_it_may_park(|| park_until_done::<M>(pipeline, cx))
        .unwrap_or_else(|advice| Err(Error::WouldDeadlock { advice }))
}

fn park_until_done<M: Message>(
    mut pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
) -> Outcome<M> {
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

/// Runs `wait`, which parks this thread; or says what to do instead, where that must not be.
#[cfg(feature = "tokio")]
fn where_it_may_park<T>(wait: impl FnOnce() -> T) -> Result<T, &'static str> {
    use tokio::runtime::{Handle, RuntimeFlavor};
    match Handle::try_current().map(|handle| handle.runtime_flavor()) {
        Err(_) => Ok(wait()),
        Ok(RuntimeFlavor::CurrentThread) => Err(
            "the handler waits, and execute_blocking would park the one thread of this \
             current-thread tokio runtime: await `execute` instead, use a multi-thread runtime, or \
             dispatch from a `std::thread`",
        ),
        Ok(_) => in_place_of_a_worker(wait),
    }
}

/// Lets another thread go on with the tasks of this worker, for which the handler may wait.
#[cfg(feature = "tokio")]
fn in_place_of_a_worker<T>(wait: impl FnOnce() -> T) -> Result<T, &'static str> {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    let mut begun = false;
    let waiting = || {
        begun = true;
        wait()
    };
    // It panics in a `LocalSet`, and nothing else tells that one from a worker.
    match catch_unwind(AssertUnwindSafe(|| tokio::task::block_in_place(waiting))) {
        Ok(waited) => Ok(waited),
        Err(panic) if begun => resume_unwind(panic),
        Err(_) => Err(
            "the handler waits, and execute_blocking would park the thread of a tokio `LocalSet`: \
             await `execute` instead, or dispatch from `spawn_blocking`",
        ),
    }
}

#[cfg(not(feature = "tokio"))]
fn where_it_may_park<T>(wait: impl FnOnce() -> T) -> Result<T, &'static str> {
    Ok(wait())
}
