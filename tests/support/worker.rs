//! A command that waits for a given time, on a clock that its handler moves.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use arcbus::{
    BusBuilder, Command, CommandBus, Context, FakeClock, Handler, Message, Middleware, Next,
    Outcome,
};

use crate::acts::{Noted, Steps};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A message that waits several times, a second each, and notes the state of its context after each
/// wait.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Work {
    pub(crate) seconds: u32,
}

impl Message for Work {
    const NAME: &'static str = "work";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

#[derive(Clone)]
pub(crate) struct Worker {
    pub(crate) clock: FakeClock,
    pub(crate) steps: Steps,
}

impl Worker {
    /// Moves the clock by a second and waits once, so that the next poll ends the wait.
    pub(crate) async fn second(&self) {
        let mut passed = false;
        poll_fn(|task| {
            if std::mem::replace(&mut passed, true) {
                return Poll::Ready(());
            }
            self.clock.advance(SECOND);
            task.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
    }
}

impl Handler<Work> for Worker {
    async fn handle(&self, msg: Work, cx: &Context<'_>) -> Result<u32, String> {
        let gone = Noted(self.steps.clone(), "gone".into());
        for _ in 0..msg.seconds {
            self.second().await;
            let cancelled = if cx.is_cancelled() { "!" } else { "" };
            self.steps.note(format!("{}{cancelled}", left(cx)));
        }
        std::mem::forget(gone);
        Ok(msg.seconds)
    }
}

/// Returns the seconds that are left until the deadline of the context.
pub(crate) fn left(cx: &Context<'_>) -> String {
    cx.remaining()
        .map_or("-".into(), |left| left.as_secs().to_string())
}

pub(crate) fn worker() -> (Worker, FakeClock, Steps) {
    let (clock, steps) = (FakeClock::new(), Steps::default());
    let worker = Worker {
        clock: clock.clone(),
        steps: steps.clone(),
    };
    (worker, clock, steps)
}

pub(crate) fn builder(clock: &FakeClock) -> BusBuilder<Command> {
    CommandBus::builder().clock(clock.clone())
}

/// A middleware that runs the inner service in a context derived from its own.
pub(crate) struct Derives;

impl<M: Message> Middleware<M> for Derives {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, &cx.derive()).await
    }
}
