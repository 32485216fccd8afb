//! A message whose handler waits until the test lets it finish.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Wake, Waker};

use acts::{Noted, Steps};
use arcbus::{CancelToken, Command, CommandBus, Context, Handler, Message, Outcome};

use crate::acts;

/// A job for the handler, identified in the log by its number.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Job(pub(crate) u32);

impl Message for Job {
    const NAME: &'static str = "job";
    type Kind = Command;
    type Reply = u32;
    type Error = String;
}

/// A handler of jobs that notes `1>` when job 1 begins, and `<1` when its future is dropped.
#[derive(Clone, Default)]
pub(crate) struct Jobs {
    pub(crate) steps: Steps,
    finish: Arc<Mutex<HashMap<u32, CancelToken>>>,
}

impl Jobs {
    fn token(&self, job: u32) -> CancelToken {
        let mut tokens = self.finish.lock().unwrap_or_else(PoisonError::into_inner);
        tokens.entry(job).or_default().clone()
    }

    /// Lets a job finish, which may be called before the job has begun.
    pub(crate) fn finish(&self, job: u32) {
        self.token(job).cancel();
    }
}

impl Handler<Job> for Jobs {
    async fn handle(&self, msg: Job, _cx: &Context<'_>) -> Result<u32, String> {
        self.steps.note(format!("{}>", msg.0));
        let _gone = Noted(self.steps.clone(), format!("<{}", msg.0));
        self.token(msg.0).cancelled().await;
        Ok(msg.0)
    }
}

/// A dispatch that is polled by hand, with the number of its wake-ups.
pub(crate) struct Sent<'a> {
    future: Pin<Box<dyn Future<Output = Outcome<Job>> + Send + 'a>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl<'a> Sent<'a> {
    /// Sends a job and polls it once, after which it must be waiting.
    pub(crate) fn pending(bus: &'a CommandBus, job: u32, cx: Context<'a>) -> Self {
        let mut sent = Self::new(bus, job, cx);
        assert_eq!(sent.poll(), None);
        sent
    }

    pub(crate) fn new(bus: &'a CommandBus, job: u32, cx: Context<'a>) -> Self {
        Self {
            future: Box::pin(bus.execute_with(Job(job), cx)),
            wakes: Arc::default(),
        }
    }

    pub(crate) fn poll(&mut self) -> Option<Outcome<Job>> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.future.as_mut().poll(&mut Task::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::Relaxed)
    }
}
