//! [`RetryMiddleware`]: attempts a message until it has a reply.

use std::fmt;
use std::time::Duration;

use super::judge::{ByClass, Judge};
use super::plan::Plan;
use super::retrying::Retrying;
use super::{Course, RetryPolicy};
use crate::clock::nanos;
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::Budget;
use crate::middleware::budget::Withdrawal;
use crate::outcome::Repeatable;
use crate::outcome::{Error, Outcome};
use crate::pipeline::{Blocked, Middleware, Next, block_on};
use crate::sync::PlainArc;

/// What a [`Retry`](super::Retry) makes of each route.
pub struct RetryMiddleware<J = ByClass> {
    policy: PlainArc<RetryPolicy>,
    budget: Option<Budget>,
    judge: J,
}

impl<J> RetryMiddleware<J> {
    pub(super) fn new(policy: PlainArc<RetryPolicy>, budget: Option<Budget>, judge: J) -> Self {
        Self {
            policy,
            budget,
            judge,
        }
    }

    #[inline(always)]
    fn deposit(&self) {
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
    }

    /// Decides on another attempt after one that has just ended in `error`.
    #[cold]
    fn plan<'p, 'c, M: Message>(
        &'p self,
        mut course: Course<'p>,
        error: &Error<M::Error>,
        cx: &'c Context<'c>,
    ) -> Option<Plan<'p, 'c>>
    where
        J: Judge<M>,
    {
        if cx.has_lost_its_caller() || !self.judge.repeats(error) {
            return None;
        }
        let now = Duration::from_nanos(cx.done_tick());
        let expiry = cx.expiry().map(Duration::from_nanos);
        let at = course.next_at(now, error.retry_after(), expiry)?;
        let withdrawal = match &self.budget {
            Some(budget) => Some(self.withdraw(budget, now)?),
            None => None,
        };
        Some(Plan {
            course: Some(course),
            withdrawal,
            sleep: (at > now).then(|| cx.clock().sleep_until(nanos(at))),
            cx,
        })
    }

    fn withdraw<'b>(&self, budget: &'b Budget, now: Duration) -> Option<Withdrawal<'b>> {
        let withdrawal = budget.withdraw(now);
        if withdrawal.is_none() {
            self.policy.count_exhausted();
        }
        withdrawal
    }

    /// Carries out `plan` and those that follow.
    async fn repeat<M: Message + Clone>(
        &self,
        mut plan: Plan<'_, '_>,
        msg: M,
        mut error: Error<M::Error>,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M>
    where
        J: Judge<M>,
    {
        let mut msg = Some(msg);
        loop {
            let Some(course) = plan.await else {
                cx.handler_done();
                return Err(error);
            };
            let attempt = cx.attempt_number(cx.attempt() + course.attempt() - 1);
            // Whatever the attempt that failed said of its reply.
            attempt.answered_by(Source::Handler);
            let copy = if course.is_last() {
                msg.take()
            } else {
                msg.clone()
            };
            let outcome = next.run(copy.expect("kept until the last"), &attempt).await;
            cx.done_in(&attempt);
            match outcome {
                Ok(reply) => return Ok(reply),
                Err(newer) => error = newer,
            }
            plan = match self.plan::<M>(course, &error, cx) {
                Some(plan) => plan,
                None => return Err(error),
            };
        }
    }

    #[cold]
    #[inline(never)]
    fn block_again<M: Message + Clone>(
        &self,
        msg: M,
        error: Error<M::Error>,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Blocked<M>
    where
        J: Judge<M>,
    {
        match self.plan::<M>(self.policy.first_failed(), &error, cx) {
            Some(plan) => block_on::<M>(self.repeat(plan, msg, error, cx, next), cx),
            None => Ok(Err(error)),
        }
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message + Repeatable, J: Judge<M>> Middleware<M> for RetryMiddleware<J> {
    /// Begins at once, so that the message is handed on instead of being stored a third time.
    #[inline(always)]
    fn handle(
        &self,
        msg: M,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> impl Future<Output = Outcome<M>> + Send {
        self.deposit();
        let kept = msg.clone();
        Retrying::first(next.run(msg, cx), kept, move |msg, error| {
            match self.plan::<M>(self.policy.first_failed(), &error, cx) {
                Some(plan) => Ok(self.repeat(plan, msg, error, cx, next)),
                None => Err(error),
            }
        })
    }

    #[inline(always)]
    fn block(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Blocked<M> {
        self.deposit();
        let kept = msg.clone();
        match next.block(msg, cx)? {
            Ok(reply) => Ok(Ok(reply)),
            Err(error) => self.block_again(kept, error, cx, next),
        }
    }
}

impl<J> fmt::Debug for RetryMiddleware<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryMiddleware")
            .field("policy", &self.policy)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
