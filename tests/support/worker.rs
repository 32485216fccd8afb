//! A command that waits as long as it says, on a clock that its handler moves.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use arcbus::{
    BusBuilder, Command, CommandBus, Context, FakeClock, Handler, Message, Middleware, Next,
    Outcome,
};

use crate::acts::{Noted, Steps};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// Waits so many times, a second each. Notes what its context says after each of them.
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
    /// Lets a second pass and waits; who polls again finds it done.
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

/// The seconds that are left.
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

/// Runs the rest in a context derived from its own.
pub(crate) struct Derives;

impl<M: Message> Middleware<M> for Derives {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, &cx.derive()).await
    }
}
