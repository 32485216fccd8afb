//! [`Plan`]: another attempt that is decided on and has not begun.

use std::pin::Pin;
use std::task::{self, Poll, ready};

use super::Course;
use crate::clock::Sleep;
use crate::context::Context;
use crate::middleware::budget::Withdrawal;

/// An attempt that is decided on. Dropped, it gives back what it took out of the budget.
pub struct Plan<'p> {
    pub(super) course: Course<'p>,
    pub(super) withdrawal: Option<Withdrawal<'p>>,
    /// When it begins, as a tick. `None`: at once.
    pub(super) at: Option<u64>,
}

impl<'p> Plan<'p> {
    /// Waits for the moment at which the attempt begins.
    pub(super) fn pause<'c>(self, cx: &'c Context<'c>) -> Pause<'p, 'c> {
        Pause {
            course: Some(self.course),
            withdrawal: self.withdrawal,
            sleep: self.at.map(|at| cx.clock().sleep_until(at)),
            cx,
        }
    }
}

debug_name!(Plan<'_>, "Plan");

/// The pause before an attempt. Dropped while it waits, it gives back what was taken out of the budget.
pub(super) struct Pause<'p, 'c> {
    course: Option<Course<'p>>,
    withdrawal: Option<Withdrawal<'p>>,
    sleep: Option<Sleep<'c>>,
    cx: &'c Context<'c>,
}

impl<'p> Pause<'p, '_> {
    fn begin(&mut self) -> Option<Course<'p>> {
        if let Some(withdrawal) = self.withdrawal.take() {
            withdrawal.used();
        }
        let mut course = self.course.take().expect("polled after completion");
        course.begin();
        Some(course)
    }
}

/// It is not carried out: what it took out of the budget goes back.
impl Drop for Pause<'_, '_> {
    fn drop(&mut self) {
        if let Some(withdrawal) = self.withdrawal.take() {
            withdrawal.give_back(self.cx.clock().ticks());
        }
    }
}

/// The course with the attempt begun; or none, if its caller has gone or its time is over.
impl<'p> Future for Pause<'p, '_> {
    type Output = Option<Course<'p>>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // What is cancelled is polled once more before it is dropped: it gets to return its error.
        if this.cx.is_cancelled() {
            return Poll::Ready(None);
        }
        if let Some(sleep) = &mut this.sleep {
            let now = ready!(Pin::new(sleep).poll(task));
            if now >= this.cx.expiry_tick() {
                return Poll::Ready(None);
            }
        }
        Poll::Ready(this.begin())
    }
}
