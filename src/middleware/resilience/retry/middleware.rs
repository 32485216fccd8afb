//! [`RetryRecovery`]: attempts a message until it has a reply or no further attempt is allowed.

use std::fmt;
use std::time::Duration;

use super::judge::ByClass;
use super::plan::Plan;
use super::{Course, RetryPolicy};
use crate::clock::nanos;
use crate::context::{Context, Source};
use crate::message::Message;
use crate::middleware::budget::Withdrawal;
use crate::middleware::{Budget, ErrorPredicate};
use crate::outcome::{Error, Outcome, Repeatable, may_repeat};
use crate::pipeline::{Next, Recover};
use crate::sync::PlainArc;

/// The middleware that attempts a message again after a pause, created by a [`Retry`](super::Retry) for each
/// route.
pub struct RetryRecovery<J = ByClass> {
    pub(super) policy: PlainArc<RetryPolicy>,
    budget: Option<Budget>,
    when: PlainArc<J>,
}

impl<J> RetryRecovery<J> {
    pub(super) fn new(
        policy: PlainArc<RetryPolicy>,
        budget: Option<Budget>,
        when: PlainArc<J>,
    ) -> Self {
        Self {
            policy,
            budget,
            when,
        }
    }

    /// Decides whether to make another attempt after an attempt that has just ended in `error`.
    #[cold]
    fn next_attempt<'p, M: Message>(
        &'p self,
        mut course: Course<'p>,
        error: &Error<M::Error>,
        cx: &Context<'_>,
    ) -> Option<Plan<'p>>
    where
        J: ErrorPredicate<M>,
    {
        let may_repeat = may_repeat::<M>(error) && !cx.has_lost_its_caller();
        if !may_repeat || !self.when.matches(error) {
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
            course,
            withdrawal,
            at: (at > now).then(|| nanos(at)),
        })
    }

    fn withdraw<'b>(&self, budget: &'b Budget, now: Duration) -> Option<Withdrawal<'b>> {
        let withdrawal = budget.withdraw(now);
        if withdrawal.is_none() {
            self.policy.count_exhausted();
        }
        withdrawal
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message + Repeatable, J: ErrorPredicate<M>> Recover<M> for RetryRecovery<J> {
    type Kept = M;
    type Plan<'a> = Plan<'a>;

    #[inline(always)]
    fn keep(&self, msg: &M) -> M {
        if let Some(budget) = &self.budget {
            budget.deposit();
        }
        msg.clone()
    }

    fn plan<'a>(&'a self, error: &Error<M::Error>, cx: &Context<'_>) -> Option<Plan<'a>> {
        self.next_attempt::<M>(self.policy.first_failed(), error, cx)
    }

    async fn recover<'a>(
        &'a self,
        mut plan: Plan<'a>,
        msg: M,
        mut error: Error<M::Error>,
        cx: &Context<'_>,
        next: &impl Next<M>,
    ) -> Outcome<M> {
        let mut msg = Some(msg);
        loop {
            let Some(course) = plan.pause(cx).await else {
                cx.handler_done();
                return Err(error);
            };
            let attempt = cx.attempt_number(cx.attempt() + course.attempt() - 1);
            // Forget the source that the failed attempt has set for its reply.
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
            plan = match self.next_attempt::<M>(course, &error, cx) {
                Some(plan) => plan,
                None => return Err(error),
            };
        }
    }
}

impl<J> fmt::Debug for RetryRecovery<J> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RetryRecovery")
            .field("policy", &self.policy)
            .field("budget", &self.budget)
            .finish_non_exhaustive()
    }
}
