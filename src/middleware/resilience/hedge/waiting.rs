//! [`Waiting`]: the state beside a first attempt from its first wait on.

use std::task::{self, Poll, Waker};
use std::time::Duration;

use super::HedgePolicy;
use super::hedges::Hedges;
use super::sample::Sample;
use crate::clock::Due;
use crate::context::Context;
use crate::message::{Message, Query};
use crate::outcome::is_worth_repeating;
use crate::outcome::{Ending, Verdict};
use crate::outcome::{Error, Outcome};

pub(super) struct Waiting<'h, 'c, M: Message, G> {
    policy: &'h HedgePolicy,
    cx: &'c Context<'c>,
    /// The delay before a hedge, in nanoseconds.
    delay: u64,
    /// The moment of the next hedge, or `None` if there will be no further hedge.
    due: Option<Due>,
    /// The number of attempts that were started, the first included.
    attempts: u32,
    sample: Option<Sample<'h, 'c>>,
    hedges: Hedges<G>,
    /// The error of the first attempt, while its hedges still run.
    failed: Option<Error<M::Error>>,
}

impl<'h, 'c, M: Message<Kind = Query> + Clone, G> Waiting<'h, 'c, M, G>
where
    G: Future<Output = Outcome<M>>,
{
    pub(super) fn begin(policy: &'h HedgePolicy, cx: &'c Context<'c>, may_hedge: bool) -> Self {
        let now = cx.clock().ticks();
        let delay = policy.delay_nanos().filter(|_| may_hedge);
        Self {
            policy,
            cx,
            delay: delay.unwrap_or_default(),
            due: delay.and_then(|delay| due_at(now.saturating_add(delay), cx)),
            attempts: 1,
            sample: Sample::begin(policy, cx, now),
            hedges: Hedges::default(),
            failed: None,
        }
    }

    pub(super) fn has_hedged(&self) -> bool {
        self.attempts > 1
    }

    /// Returns the current time once a hedge is due. Until then, makes sure that `waker` is woken at that
    /// moment.
    pub(super) fn is_due(&mut self, waker: &Waker) -> Option<u64> {
        self.due.as_mut()?.poll(self.cx.clock(), waker)
    }

    /// Returns the number and the message of a hedge to start now. Returns `None` if no hedge may start now,
    /// and then none will start later.
    pub(super) fn next_attempt(&mut self, kept: &mut Option<M>, now: u64) -> Option<(u32, M)> {
        self.due = None;
        let has_gone = now >= self.cx.expiry_tick() || self.cx.is_cancelled();
        if has_gone || !self.policy.try_hedge(Duration::from_nanos(now)) {
            return None;
        }
        self.attempts += 1;
        let msg = if self.attempts <= self.policy.max_hedges() {
            self.due = due_at(now.saturating_add(self.delay), self.cx);
            kept.clone()
        } else {
            kept.take()
        };
        Some((self.attempts, msg?))
    }

    /// Adds a hedge and polls it for the first time. Returns the outcome if that decides the race.
    pub(super) fn add(&mut self, hedge: G, task: &mut task::Context<'_>) -> Option<Outcome<M>> {
        self.hedges.push(hedge);
        self.poll_hedges_from(self.hedges.len() - 1, task)
    }

    /// Polls all hedges, and returns the outcome if a hedge decides the race now.
    pub(super) fn poll_hedges(&mut self, task: &mut task::Context<'_>) -> Option<Outcome<M>> {
        self.poll_hedges_from(0, task)
    }

    fn poll_hedges_from(
        &mut self,
        mut place: usize,
        task: &mut task::Context<'_>,
    ) -> Option<Outcome<M>> {
        while place < self.hedges.len() {
            match self.hedges.poll(place, task) {
                Poll::Pending => place += 1,
                Poll::Ready(Err(error)) if !decides::<M>(&error) => {
                    self.due = None;
                    if self.hedges.len() == 0
                        && let Some(first) = self.failed.take()
                    {
                        return Some(Err(first));
                    }
                }
                Poll::Ready(outcome) => {
                    self.policy.won();
                    return Some(outcome);
                }
            }
        }
        None
    }

    /// Ends the race with this outcome: a first attempt that still runs has lost. The message pays into the
    /// budget unless the caller ended the dispatch.
    pub(super) fn decided(mut self, outcome: &Outcome<M>) {
        if Ending::of::<M>(outcome, self.cx) == Ending::Abandoned {
            return;
        }
        self.policy.waited();
        if let Some(sample) = self.sample.take() {
            sample.cut_short();
        }
    }

    /// Returns the outcome of the first attempt, unless a running hedge may do better.
    pub(super) fn first_ended(&mut self, outcome: Outcome<M>) -> Option<Outcome<M>> {
        if let Some(sample) = self.sample.take() {
            match Ending::of::<M>(&outcome, self.cx) {
                Ending::Judged(Verdict::Success) => sample.answered(),
                Ending::Judged(_) => sample.cut_short(),
                Ending::Abandoned => drop(sample),
            }
        }
        match outcome {
            Err(error) if self.hedges.len() > 0 && !decides::<M>(&error) => {
                self.due = None;
                self.failed = Some(error);
                None
            }
            outcome => Some(outcome),
        }
    }
}

/// Returns `None` if the tick is past the deadline.
fn due_at(tick: u64, cx: &Context<'_>) -> Option<Due> {
    (tick < cx.expiry_tick()).then(|| Due::new(tick))
}

/// Returns whether no other attempt can do better after this error.
fn decides<M: Message<Kind = Query> + Clone>(error: &Error<M::Error>) -> bool {
    !is_worth_repeating::<M>(error) && Verdict::of_error::<M>(error) != Verdict::Failure
}
