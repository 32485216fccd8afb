//! A message that says how its handler acts, and a log of the steps on the way.
#![allow(dead_code, reason = "each test file uses a part of this module")]

use std::future::pending;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Waker};

use arcbus::{Bus, Command, CommandBus, Context, Handler, Message, Outcome, Violations};

/// The action that the message's handler takes when it runs.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Act {
    Answer(u32),
    Invalid,
    Fail,
    Panic,
    Wait,
}

impl Message for Act {
    const NAME: &'static str = "act";
    type Kind = Command;
    type Reply = u32;
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if *self == Self::Invalid {
            violations.add("act", "valid", "must be valid");
        }
        violations.into_result()
    }
}

/// The steps taken so far, in a log that all clones share.
#[derive(Clone, Default)]
pub(crate) struct Steps(Arc<Mutex<Vec<String>>>);

impl Steps {
    pub(crate) fn note(&self, step: impl Into<String>) {
        self.lock().push(step.into());
    }

    /// Removes all steps from the log, and returns them joined by spaces.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.lock()).join(" ")
    }

    pub(crate) fn contain(&self, step: &str) -> bool {
        self.lock().iter().any(|taken| taken == step)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Notes a step in the log at the moment when it is dropped.
pub(crate) struct Noted(pub(crate) Steps, pub(crate) String);

impl Drop for Noted {
    fn drop(&mut self) {
        self.0.note(std::mem::take(&mut self.1));
    }
}

/// Performs an [`Act`]. Notes `handle`, and notes `gone` when dropped while waiting.
#[derive(Clone, Default)]
pub(crate) struct Actor(pub(crate) Steps);

impl Handler<Act> for Actor {
    async fn handle(&self, msg: Act, _cx: &Context<'_>) -> Result<u32, String> {
        self.0.note("handle");
        match msg {
            Act::Answer(reply) => Ok(reply),
            Act::Invalid => Ok(0),
            Act::Fail => Err("failed".into()),
            Act::Panic => panic!("on purpose"),
            Act::Wait => {
                let _gone = Noted(self.0.clone(), "gone".into());
                pending().await
            }
        }
    }
}

/// Returns the outcomes of a message in the blocking and in the async lane.
pub(crate) fn each_lane<M>(bus: &CommandBus, msg: M) -> [Outcome<M>; 2]
where
    M: Message<Kind = Command> + Clone,
{
    [
        bus.execute_blocking(msg.clone()),
        ready(bus.execute(msg)).expect("it does not wait"),
    ]
}

/// Returns the outcomes of both lanes, like [`each_lane`], but in a given context.
pub(crate) fn each_lane_with<M>(bus: &CommandBus, msg: M, cx: &Context<'_>) -> [Outcome<M>; 2]
where
    M: Message<Kind = Command> + Clone,
{
    [
        bus.execute_blocking_with(msg.clone(), cx.clone()),
        ready(bus.execute_with(msg, cx.clone())).expect("it does not wait"),
    ]
}

/// Returns the output of a future, on a thread that may have to wait.
pub(crate) fn block<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
}

/// Returns the output of a future that is ready at its first poll.
pub(crate) fn ready<T>(future: impl Future<Output = T>) -> Option<T> {
    match poll_once(pin!(future)) {
        Poll::Ready(output) => Some(output),
        Poll::Pending => None,
    }
}

pub(crate) fn poll_once<F: Future + ?Sized>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

/// Returns the names of the layers around the only message of a bus.
pub(crate) fn layers<K: arcbus::Kind>(bus: &Bus<K>) -> Vec<&'static str> {
    bus.routes()[0].layers().to_vec()
}
