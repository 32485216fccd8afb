//! [`Plan`]: another attempt that is decided on and has not begun.

use std::pin::Pin;
use std::task::{self, Poll, ready};

use super::Course;
use crate::clock::Sleep;
use crate::context::Context;
use crate::middleware::budget::Withdrawal;

/// Waits for the moment at which the attempt begins. Dropped before, it gives back what it took out of
/// the budget.
pub(super) struct Plan<'p, 'c> {
    pub(super) course: Option<Course<'p>>,
    pub(super) withdrawal: Option<Withdrawal<'p>>,
    /// `None`: at once.
    pub(super) sleep: Option<Sleep<'c>>,
    pub(super) cx: &'c Context<'c>,
}

impl<'p> Plan<'p, '_> {
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
impl Drop for Plan<'_, '_> {
    fn drop(&mut self) {
        if let Some(withdrawal) = self.withdrawal.take() {
            withdrawal.give_back(self.cx.clock().ticks());
        }
    }
}

/// The course with the attempt begun; or none, if its caller has gone or its time is over.
impl<'p> Future for Plan<'p, '_> {
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
