//! Driving a pipeline to its end, on this thread or as part of a future.

use std::pin::{Pin, pin};
use std::task::{self, Poll, Waker};

use crate::clock::Due;
use crate::context::{Context, Interrupt, Watch};
use crate::message::Message;
use crate::outcome::{Error, Outcome, Phase, TimeLimit};
use crate::sync::Parker;
use crate::sync::drop_caught;

/// Drops a pipeline and contains a panic of that drop. A handler that is cut short may panic in its drop.
///
/// Guards the whole pipeline rather than the handler's future. A drop that far inside would keep the compiler
/// from optimising across a deep stack (2026-11: 91 instructions more with five gates). The guard stands
/// beside the pipeline, because a guard around it would copy it once more in a debug build.
pub(crate) struct Quiet<'p, F>(Pin<&'p mut Option<F>>);

impl<'p, F> Quiet<'p, F> {
    /// Creates the guard of `pipeline`, which must be `Some`.
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

/// The reason why a blocking dispatch ended without an outcome that a layer sees.
#[derive(Clone, Copy, Debug)]
pub struct Stopped(Why);

#[derive(Clone, Copy, Debug)]
enum Why {
    /// Interrupted by the caller, or by the time limit that the caller set.
    Interrupted(Interrupt),
    /// Stopped at this tick by the time limit of a layer, which makes an outcome of the stop.
    Limited(u64),
    /// Refused to park, because the wait would never end, with advice for the caller.
    Deadlocked(&'static str),
}

/// The outcome, or the reason for its absence, in which case every layer on the way drops its resources.
pub type Blocked<M> = Result<Outcome<M>, Stopped>;

impl Stopped {
    /// Converts the reason to the outcome that the caller gets at the edge of the bus.
    #[cold]
    #[inline(never)]
    pub(crate) fn into_outcome<M: Message>(self, cx: &Context<'_>) -> Outcome<M> {
        Err(match self.0 {
            Why::Interrupted(interrupt) => interrupt.into_error(Phase::Indeterminate),
            Why::Limited(now) => late(cx, now, TimeLimit::Layer),
            Why::Deadlocked(advice) => Error::WouldDeadlock { advice },
        })
    }

    /// Returns the tick at which a layer's limit passed, if that limit stopped the dispatch.
    #[inline]
    pub(crate) fn limited_at(self) -> Option<u64> {
        match self.0 {
            Why::Limited(now) => Some(now),
            _ => None,
        }
    }
}

/// Returns the error of a dispatch whose time was over at `now`, while the handler ran.
#[cold]
#[inline(never)]
pub(crate) fn late<E>(cx: &Context<'_>, now: u64, limit: TimeLimit) -> Error<E> {
    Interrupt::late(cx, now, limit).into_error(Phase::Indeterminate)
}

/// Converts the result of a pipeline that ran on this thread to the caller's outcome.
#[inline(always)]
pub(crate) fn edge<M: Message>(blocked: Blocked<M>, cx: &Context<'_>) -> Outcome<M> {
    blocked.unwrap_or_else(|stopped| stopped.into_outcome::<M>(cx))
}

/// Runs `pipeline` to its end on this thread.
///
/// The first poll uses a waker that does nothing. A pipeline that never waits ends in that poll, and the
/// compiler sees one straight function.
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

/// Polls `pipeline` and, if the poll is pending, checks whether `cx` was interrupted. A pipeline that was
/// cancelled during the poll is polled once more, so that the pipeline may end itself and report its
/// progress.
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

/// Checks after a pending poll whether `cx` was interrupted. If not, ensures that an interruption wakes
/// `task`.
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
    // The pipeline has been polled once before.
    bounds.check_limit(&waker)?;
    loop {
        let knew = cx.is_cancelled();
        if let Poll::Ready(outcome) = pipeline.as_mut().poll(&mut task) {
            return Ok(outcome);
        }
        bounds.check_limit(&waker)?;
        match bounds.check_caller(&waker) {
            Ok(()) => parker.park(),
            // As in `poll_bounded`, the next turn is the last.
            Err(_) if !knew && cx.is_cancelled() => {}
            Err(stopped) => return Err(stopped),
        }
    }
}

/// The sources that wake a waiting thread, besides the handler.
struct Bounds<'a, 'c> {
    cx: &'a Context<'c>,
    /// The limit of a layer, checked before the caller's limit. A layer that also keeps the caller's deadline
    /// tells its outer layers.
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
        // A layer's limit comes no later than the caller's limit, which has passed since the check of the
        // former.
        if matches!(interrupt, Interrupt::Late { .. }) {
            self.check_limit(waker)?;
        }
        Err(Stopped(Why::Interrupted(interrupt)))
    }
}

/// Runs `wait`, which parks this thread, or returns advice for the caller if parking is not allowed here.
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

/// Lets another thread run the tasks of this worker, because the handler may wait for those tasks.
#[cfg(feature = "tokio")]
fn in_place_of_a_worker<T>(wait: impl FnOnce() -> T) -> Result<T, &'static str> {
    use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
    let mut begun = false;
    let waiting = || {
        begun = true;
        wait()
    };
    // The call panics in a `LocalSet`, and nothing else tells a `LocalSet` from a worker.
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
