//! [`Plan`]: another attempt that is decided on and has not started.

use std::pin::Pin;
use std::task::{self, Poll, ready};

use super::Course;
use crate::clock::Sleep;
use crate::context::Context;
use crate::middleware::budget::Withdrawal;

/// An attempt that is decided on. Dropping the plan gives the withdrawn repeat back to the budget.
pub struct Plan<'p> {
    pub(super) course: Course<'p>,
    pub(super) withdrawal: Option<Withdrawal<'p>>,
    /// The tick at which the attempt starts, or `None` for at once.
    pub(super) at: Option<u64>,
}

impl<'p> Plan<'p> {
    /// Waits until the attempt is due.
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

/// The pause before an attempt. Dropping the pause while it waits gives the withdrawn repeat back to the
/// budget.
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

/// Gives the repeat back to the budget if the attempt was never started.
impl Drop for Pause<'_, '_> {
    fn drop(&mut self) {
        if let Some(withdrawal) = self.withdrawal.take() {
            withdrawal.give_back(self.cx.clock().ticks());
        }
    }
}

/// Resolves to the course with the attempt started, or to `None` if the caller has gone or its time is over.
impl<'p> Future for Pause<'p, '_> {
    type Output = Option<Course<'p>>;

    fn poll(self: Pin<&mut Self>, task: &mut task::Context<'_>) -> Poll<Self::Output> {
        let this = self.get_mut();
        // A cancelled dispatch is polled once more before it is dropped, so that it can return its error.
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
