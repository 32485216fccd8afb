//! [`RateLimitQueue`]: the rate limit whose messages wait.

use std::future::poll_fn;
use std::task::{Poll, Waker};

use super::policy::{RateLimitPolicy, Refused, Reservation};
use crate::clock::{Due, nanos};
use crate::context::Context;
use crate::message::Message;
use crate::outcome::{Error, Phase};
use crate::pipeline::Enqueue;
use crate::sync::PlainArc;

/// A rate limit whose messages wait for their turn. Made by
/// [`RateLimit::wait_at_most`](super::RateLimit::wait_at_most) for a route.
#[derive(Debug)]
pub struct RateLimitQueue {
    pub(super) policy: PlainArc<RateLimitPolicy>,
}

impl RateLimitQueue {
    pub(super) fn new(policy: PlainArc<RateLimitPolicy>) -> Self {
        Self { policy }
    }

    fn reserve(&self, refused: Refused, cx: &Context<'_>) -> Result<Reservation<'_>, Refused> {
        let now = cx.entry_tick();
        // A turn at the very end of the message's time is too late.
        let time = cx
            .expiry()
            .map_or(u64::MAX, |end| end.saturating_sub(now).saturating_sub(1));
        let patience = nanos(self.policy.longest_wait()).min(time);
        self.policy.reserve_later(refused.0, now, 1, patience)
    }
}

#[diagnostic::do_not_recommend]
impl<M: Message> Enqueue<M> for RateLimitQueue {
    type Pass<'a> = ();
    type Ticket = Refused;

    #[inline(always)]
    fn try_enter(&self, _msg: &M, cx: &Context<'_>) -> Result<(), Refused> {
        let now = || cx.clock().ticks();
        self.policy.check_at(cx.entry_tick(), 1, now)
    }

    async fn wait(&self, refused: Refused, cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        let reservation = self.reserve(refused, cx).map_err(Refused::into_error)?;
        let mut turn = Turn::new(reservation, cx);
        poll_fn(|task| turn.poll(task.waker())).await;
        // A message that is late gives its reservation back.
        cx.may_begin()
            .map_err(|interrupt| interrupt.into_error(Phase::NotStarted))?;
        turn.used();
        Ok(())
    }
}

/// The turn of a message, with its time and its reservation.
struct Turn<'p, 'c> {
    reservation: Option<Reservation<'p>>,
    cx: &'c Context<'c>,
    due: Option<Due>,
}

impl<'p, 'c> Turn<'p, 'c> {
    fn new(reservation: Reservation<'p>, cx: &'c Context<'c>) -> Self {
        Self {
            reservation: Some(reservation),
            cx,
            due: None,
        }
    }

    /// Returns `Ready` when the turn has come.
    fn poll(&mut self, waker: &Waker) -> Poll<()> {
        let Some(reservation) = &self.reservation else {
            return Poll::Ready(());
        };
        let turn = reservation.turn(waker);
        let due = match &mut self.due {
            Some(due) if due.tick() == turn => due,
            moved => moved.insert(Due::new(turn)),
        };
        match due.poll(self.cx.clock(), waker) {
            Some(_) => Poll::Ready(()),
            None => Poll::Pending,
        }
    }

    fn used(mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.used();
        }
    }
}

/// Leaves the line, so that later messages move up.
impl Drop for Turn<'_, '_> {
    fn drop(&mut self) {
        if let Some(reservation) = self.reservation.take() {
            reservation.give_back_at(self.cx.clock().ticks());
        }
    }
}
