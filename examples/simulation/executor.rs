//! A single-threaded executor, which polls woken tasks in the order in which they were woken.

use std::collections::VecDeque;
use std::fmt;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Wake, Waker};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// All futures of the simulation, and a queue of those that want to be polled.
#[derive(Default)]
pub(crate) struct Tasks {
    tasks: Vec<Option<(Work, Waker)>>,
    ready: Arc<Ready>,
}

impl Tasks {
    /// Adds a future, which the next call of [`run`](Self::run) polls for the first time.
    pub(crate) fn spawn(&mut self, work: impl Future<Output = ()> + 'static) {
        let knock = Arc::new(Knock {
            task: self.tasks.len(),
            woken: AtomicBool::new(false),
            ready: Arc::clone(&self.ready),
        });
        knock.wake_by_ref();
        self.tasks
            .push(Some((Box::pin(work), Waker::from(knock.clone()))));
    }

    /// Polls until no future wants to be polled any more.
    pub(crate) fn run(&mut self) {
        while let Some(knock) = self.ready.pop() {
            // Reset before the poll, so that a task that is woken during its poll is polled again.
            knock.woken.store(false, Ordering::Relaxed);
            self.poll(knock.task);
        }
    }

    fn poll(&mut self, task: usize) {
        let Some((work, waker)) = &mut self.tasks[task] else {
            return;
        };
        let done = work.as_mut().poll(&mut Context::from_waker(waker));
        if done.is_ready() {
            self.tasks[task] = None;
        }
    }
}

impl fmt::Debug for Tasks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tasks({})", self.tasks.len())
    }
}

#[derive(Default)]
struct Ready(Mutex<VecDeque<Arc<Knock>>>);

impl Ready {
    fn push(&self, knock: Arc<Knock>) {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.push_back(knock);
    }

    fn pop(&self) -> Option<Arc<Knock>> {
        let mut ready = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        ready.pop_front()
    }
}

/// The waker of one task, which is in the queue at most once, however often it is woken.
struct Knock {
    task: usize,
    woken: AtomicBool,
    ready: Arc<Ready>,
}

impl Wake for Knock {
    fn wake(self: Arc<Self>) {
        if !self.woken.swap(true, Ordering::Relaxed) {
            self.ready.push(Arc::clone(&self));
        }
    }
}
