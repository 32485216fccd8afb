//! [`Timed`]: the rest of a pipeline, while it has time.

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
            // `None` where the layer is switched off.
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

    /// The rest is pending: looks at the clock only now, so that one that is ready keeps its reply.
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

    /// Drops the rest, whose handler may panic in that.
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

/// The time that one message has.
pub(super) struct Time<'a> {
    pub(super) cx: &'a Context<'a>,
    /// In nanoseconds.
    pub(super) grace: u64,
    /// The bound that holds inside. It includes the limits of outer layers, which those layers keep themselves.
    pub(super) bound: Bound,
    /// The tick at which the rest is given up, or its grace begins.
    pub(super) end: u64,
    /// Made when the rest first waits.
    pub(super) due: Option<Box<Due>>,
}

impl<'a> Time<'a> {
    /// Sets the limit that holds inside, until what this returns is dropped.
    #[inline(always)]
    pub(super) fn enter(&self) -> Within<'a, 'a> {
        self.cx.limit().enter(self.bound)
    }

    #[inline(always)]
    fn poll<F: Future>(&self, rest: Pin<&mut F>, task: &mut task::Context<'_>) -> Poll<F::Output> {
        let _within = self.enter();
        rest.poll(task)
    }

    /// The time, once the end has come; until then sees to it that `waker` is woken when it does.
    fn is_up(&mut self, waker: &Waker) -> Option<u64> {
        let due = self.due.get_or_insert_with(|| Box::new(Due::new(self.end)));
        due.poll(self.cx.clock(), waker)
    }

    /// Once it has begun a grace, a layer's own time is over.
    fn owner(&self) -> Option<TimeLimit> {
        if self.bound.is_over() {
            Some(TimeLimit::Layer)
        } else {
            owner(self.end, self.cx)
        }
    }

    /// False if there is none, or none left.
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

/// Returns the owner of the limit at `end`, at which a layer ends the inner service: its own, or the caller's
/// deadline. None where the limit of a layer further out comes before that deadline: then that layer ends it.
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
