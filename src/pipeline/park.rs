//! Driving a pipeline to its end: on this thread, or as part of a future.

use std::pin::{Pin, pin};
use std::task::{self, Poll, Waker};

use crate::clock::Due;
use crate::context::{Context, Interrupt, Watch};
use crate::message::Message;
use crate::outcome::{Error, Outcome, Phase, TimeLimit};
use crate::sync::Parker;
use crate::sync::drop_caught;

/// Drops a pipeline so that a panic of its drop goes no further: that of a handler that is cut short may
/// panic.
///
/// Around the whole, and not around the handler's future alone: a drop of its own that far inside
/// keeps the compiler from seeing through a deep stack (2026-11: 91 instructions more with five
/// gates). Beside the pipeline, and not around it, which would copy it once more in a debug build.
pub(crate) struct Quiet<'p, F>(Pin<&'p mut Option<F>>);

impl<'p, F> Quiet<'p, F> {
    /// `pipeline` is there.
    #[inline(always)]
    pub(crate) fn new(pipeline: Pin<&'p mut Option<F>>) -> Self {
        Self(pipeline)
    }

    #[inline(always)]
    pub(crate) fn get(&mut self) -> Pin<&mut F> {
        let pipeline = self.0.as_mut().as_pin_mut();
        pipeline.expect("there until the drop")
    }
}

impl<F> Drop for Quiet<'_, F> {
    #[inline(always)]
    fn drop(&mut self) {
        drop_caught(|| self.0.set(None));
    }
}

/// How a dispatch on this thread ends that no layer sees the end of.
#[derive(Clone, Copy, Debug)]
pub struct Stopped(Why);

#[derive(Clone, Copy, Debug)]
enum Why {
    /// By its caller, or the time that its caller gave it.
    Interrupted(Interrupt),
    /// At this tick, by the time limit that a layer set: that layer makes an outcome of it.
    Limited(u64),
    /// Waiting would never end; with what to do instead.
    Deadlocked(&'static str),
}

/// The outcome, or why there is none: then every layer on the way drops what it holds.
pub type Blocked<M> = Result<Outcome<M>, Stopped>;

impl Stopped {
    /// What the caller gets, at the edge of the bus.
    #[cold]
    #[inline(never)]
    pub(crate) fn into_outcome<M: Message>(self, cx: &Context<'_>) -> Outcome<M> {
        Err(match self.0 {
            Why::Interrupted(interrupt) => interrupt.into_error(Phase::Indeterminate),
            Why::Limited(now) => late(cx, now, TimeLimit::Layer),
            Why::Deadlocked(advice) => Error::WouldDeadlock { advice },
        })
    }

    /// The tick at which the limit of a layer passed, if that is what stopped it.
    #[inline]
    pub(crate) fn limited_at(self) -> Option<u64> {
        match self.0 {
            Why::Limited(now) => Some(now),
            _ => None,
        }
    }
}

/// The error of a dispatch whose handler ran when its time was over, `now`.
#[cold]
#[inline(never)]
pub(crate) fn late<E>(cx: &Context<'_>, now: u64, limit: TimeLimit) -> Error<E> {
    Interrupt::late(cx, now, limit).into_error(Phase::Indeterminate)
}

/// The outcome that the caller gets of a pipeline that ran on this thread.
#[inline(always)]
pub(crate) fn edge<M: Message>(blocked: Blocked<M>, cx: &Context<'_>) -> Outcome<M> {
    blocked.unwrap_or_else(|stopped| stopped.into_outcome::<M>(cx))
}

/// Runs `pipeline` to its end on this thread.
///
/// The first poll has a waker that does nothing: a pipeline that never waits is done with it, and
/// the compiler sees one straight function.
#[inline(always)]
pub(crate) fn block_on<M: Message>(
    pipeline: impl Future<Output = Outcome<M>>,
    cx: &Context<'_>,
) -> Blocked<M> {
    let pipeline = pin!(Some(pipeline));
    let mut pipeline = Quiet::new(pipeline);
    let mut task = task::Context::from_waker(Waker::noop());
    match pipeline.get().poll(&mut task) {
        Poll::Ready(outcome) => Ok(outcome),
        Poll::Pending => wait::<M>(pipeline.get(), cx),
    }
}

/// Polls `pipeline` and, if it is pending, asks whether `cx` was interrupted meanwhile. One that was
/// cancelled while it was polled is polled once more: it may end by itself, and say how far it came.
#[inline(always)]
pub(crate) fn poll_bounded<M: Message>(
    mut pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
    watch: &mut Option<Box<Watch>>,
    task: &mut task::Context<'_>,
) -> Poll<Outcome<M>> {
    let knew = cx.is_cancelled();
    match pipeline.as_mut().poll(task) {
        Poll::Ready(outcome) => Poll::Ready(outcome),
        Poll::Pending => match watch_bounds::<M>(cx, watch, task) {
            Ok(()) => Poll::Pending,
            Err(error) if knew || !error.is_cancelled() => Poll::Ready(Err(error)),
            Err(error) => match pipeline.poll(task) {
                Poll::Ready(outcome) => Poll::Ready(outcome),
                Poll::Pending => Poll::Ready(Err(error)),
            },
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

#[cold]
fn wait<M: Message>(
    pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
) -> Blocked<M> {
    where_it_may_park(|| park_until_done::<M>(pipeline, cx))
        .unwrap_or_else(|advice| Err(Stopped(Why::Deadlocked(advice))))
}

fn park_until_done<M: Message>(
    mut pipeline: Pin<&mut impl Future<Output = Outcome<M>>>,
    cx: &Context<'_>,
) -> Blocked<M> {
    let parker = Parker::new();
    let waker = parker.waker();
    let mut task = task::Context::from_waker(&waker);
    let mut bounds = Bounds::of(cx);
    // It has been polled once before.
    bounds.check_limit(&waker)?;
    loop {
        let knew = cx.is_cancelled();
        if let Poll::Ready(outcome) = pipeline.as_mut().poll(&mut task) {
            return Ok(outcome);
        }
        bounds.check_limit(&waker)?;
        match bounds.check_caller(&waker) {
            Ok(()) => parker.park(),
            // As in `poll_bounded`: the next turn is the last.
            Err(_) if !knew && cx.is_cancelled() => {}
            Err(stopped) => return Err(stopped),
        }
    }
}

/// What a thread that waits is woken by, besides the handler.
struct Bounds<'a, 'c> {
    cx: &'a Context<'c>,
    /// The limit of a layer. Asked before the caller's: a layer that keeps the caller's deadline, too,
    /// tells those around it.
    limit: Option<Due>,
    caller: Option<Box<Watch>>,
}

impl<'a, 'c> Bounds<'a, 'c> {
    fn of(cx: &'a Context<'c>) -> Self {
        Self {
            cx,
            limit: cx.limit().due(),
            caller: None,
        }
    }

    fn check_limit(&mut self, waker: &Waker) -> Result<(), Stopped> {
        let clock = self.cx.clock();
        let passed = self.limit.as_mut().and_then(|due| due.poll(clock, waker));
        passed.map_or(Ok(()), |now| Err(Stopped(Why::Limited(now))))
    }

    fn check_caller(&mut self, waker: &Waker) -> Result<(), Stopped> {
        let Err(interrupt) = Watch::bounds(&mut self.caller, self.cx, waker) else {
            return Ok(());
        };
        // A layer's limit comes no later than the caller's, which has passed since that was asked.
        if matches!(interrupt, Interrupt::Late { .. }) {
            self.check_limit(waker)?;
        }
        Err(Stopped(Why::Interrupted(interrupt)))
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
