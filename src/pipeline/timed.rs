//! [`Timed`]: the inner service under a time limit.

use std::pin::Pin;
use std::task::{self, Poll, Waker};

use pin_project_lite::pin_project;

use super::late;
use crate::clock::Due;
use crate::context::{Bound, Context, Within};
use crate::message::Message;
use crate::outcome::{Error, Outcome, TimeLimit};
use crate::sync::drop_caught;

pin_project! {
    #[project = TimedProjection]
    pub(super) enum Timed<'a, M: Message, F> {
        Running {
            #[pin]
            rest: F,
            // `None` if the layer is switched off.
            time: Option<Time<'a>>,
        },
        Refused { error: Option<Error<M::Error>> },
        Dropped,
    }
}

impl<M, F> Future for Timed<'_, M, F>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
{
    type Output = Outcome<M>;

    #[inline(always)]
    fn poll(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        match self.as_mut().project() {
            TimedProjection::Running { rest, time: None } => rest.poll(task),
            TimedProjection::Running {
                rest,
                time: Some(time),
            } => match time.poll(rest, task) {
                Poll::Ready(outcome) => Poll::Ready(outcome),
                Poll::Pending => self.wait(task),
            },
            _ => Poll::Ready(Err(self.take_refusal())),
        }
    }
}

impl<M, F> Timed<'_, M, F>
where
    M: Message,
    F: Future<Output = Outcome<M>>,
{
    #[cold]
    pub(super) fn refused(error: Error<M::Error>) -> Self {
        Self::Refused { error: Some(error) }
    }

    #[cold]
    fn take_refusal(self: Pin<&mut Self>) -> Error<M::Error> {
        match self.project() {
            TimedProjection::Refused { error } => error.take(),
            _ => None,
        }
        .expect("polled after completion")
    }

    /// Handles a pending inner service, and reads the clock only now, so that a service that is ready keeps
    /// its reply.
    #[cold]
    #[inline(never)]
    fn wait(mut self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Outcome<M>> {
        while let TimedProjection::Running {
            rest,
            time: Some(time),
        } = self.as_mut().project()
        {
            let Some(now) = time.is_up(task.waker()) else {
                return Poll::Pending;
            };
            if time.begin_grace() {
                if let Poll::Ready(outcome) = time.poll(rest, task) {
                    return Poll::Ready(outcome);
                }
                continue;
            }
            let (cx, Some(limit)) = (time.cx, time.owner()) else {
                return Poll::Pending;
            };
            return Poll::Ready(Err(self.give_up(cx, now, limit)));
        }
        unreachable!("only a running one waits")
    }

    /// Drops the inner service, whose handler may panic in its drop.
    fn give_up(
        mut self: Pin<&mut Self>,
        cx: &Context<'_>,
        now: u64,
        limit: TimeLimit,
    ) -> Error<M::Error> {
        drop_caught(|| self.set(Self::Dropped));
        cx.handler_done();
        late(cx, now, limit)
    }
}

/// The time limit of one message, and the alarm that tells its end.
pub(super) struct Time<'a> {
    pub(super) cx: &'a Context<'a>,
    /// Time in nanoseconds from the limit to the drop of the inner service.
    pub(super) grace: u64,
    /// The bound for the inner service. The bound includes the limits of outer layers, which the outer layers
    /// keep themselves.
    pub(super) bound: Bound,
    /// The tick at which the inner service is dropped, or its grace begins.
    pub(super) end: u64,
    /// Created at the first wait of the inner service.
    pub(super) due: Option<Box<Due>>,
}

impl<'a> Time<'a> {
    /// Sets the limit for the inner service, until the returned guard is dropped.
    #[inline(always)]
    pub(super) fn enter(&self) -> Within<'a, 'a> {
        self.cx.limit().enter(self.bound)
    }

    #[inline(always)]
    fn poll<F: Future>(&self, rest: Pin<&mut F>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let _within = self.enter();
        rest.poll(task)
    }

    /// Returns the current tick if the end has come. Otherwise ensures that `waker` is woken at the end.
    fn is_up(&mut self, waker: &Waker) -> Option<u64> {
        let due = self.due.get_or_insert_with(|| Box::new(Due::new(self.end)));
        due.poll(self.cx.clock(), waker)
    }

    /// Returns the owner of the limit, which is the layer itself once its grace has begun.
    fn owner(&self) -> Option<TimeLimit> {
        if self.bound.is_over() {
            Some(TimeLimit::Layer)
        } else {
            owner(self.end, self.cx)
        }
    }

    /// Begins the grace, or returns `false` if no grace is set or left.
    fn begin_grace(&mut self) -> bool {
        let end = self.end.saturating_add(self.grace);
        let end = end.min(self.cx.deadline_tick());
        if self.bound.is_over() || end == self.end {
            return false;
        }
        self.bound = self.bound.over();
        self.end = end;
        self.due = None;
        true
    }
}

/// Returns the owner of the limit at `end`, at which a layer ends the inner service: the layer itself, or the
/// caller's deadline. `None` if an outer layer's limit comes before that deadline, because that layer then
/// ends the service.
#[cold]
pub(super) fn owner(end: u64, cx: &Context<'_>) -> Option<TimeLimit> {
    if end < cx.deadline_tick() {
        return Some(TimeLimit::Layer);
    }
    match cx.time_limit() {
        TimeLimit::Layer => None,
        TimeLimit::Caller => Some(TimeLimit::Caller),
    }
}
