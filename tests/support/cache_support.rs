//! A query whose handler follows the test's instructions, and a log of its runs.

use std::collections::HashMap;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::time::Duration;

use arcbus::middleware::Cacheable;
use arcbus::{
    BusBuilder, Class, Context, FakeClock, Handler, Message, Outcome, Query, QueryBus, Source,
    Stack, inspect,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);

/// A query for the value that is stored under a name.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Get(pub(crate) String);

pub(crate) fn get(name: &str) -> Get {
    Get(name.into())
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Failed {
    Transient,
    Permanent,
    Unclassified,
}

impl std::fmt::Display for Failed {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Message for Get {
    const NAME: &'static str = "get";
    type Kind = Query;
    /// The number of the run that made the reply, and the name.
    type Reply = (u32, Arc<str>);
    type Error = Failed;

    fn classify(error: &Failed) -> Class {
        match error {
            Failed::Transient => Class::Transient,
            Failed::Permanent => Class::Permanent,
            Failed::Unclassified => Class::Unclassified,
        }
    }
}

impl Cacheable for Get {
    type Key = str;
    fn key(&self) -> &str {
        &self.0
    }
}

/// The action that the handler takes in a run.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    Reply,
    Fail(Failed),
    Panic,
    /// Waits until [`Store::finish`], then follows the action given there.
    Wait,
}

/// A handler that counts its runs, and performs in each the action that the test has set.
#[derive(Clone)]
pub(crate) struct Store {
    runs: Arc<AtomicU32>,
    under_way: Arc<AtomicUsize>,
    acts: Arc<Mutex<HashMap<String, Act>>>,
    wakers: Arc<Mutex<Vec<Waker>>>,
    pub(crate) clock: FakeClock,
}

impl Store {
    pub(crate) fn new() -> Self {
        Self {
            runs: Arc::default(),
            under_way: Arc::default(),
            acts: Arc::default(),
            wakers: Arc::default(),
            clock: FakeClock::new(),
        }
    }

    pub(crate) fn builder(&self) -> BusBuilder<Query> {
        QueryBus::builder().clock(self.clock.clone())
    }

    pub(crate) fn bus<S: Stack<Get>>(&self, builder: BusBuilder<Query, S>) -> QueryBus {
        builder.register(self.clone()).build().expect("in range")
    }

    pub(crate) fn set(&self, name: &str, act: Act) {
        locked(&self.acts).insert(name.into(), act);
        locked(&self.wakers).drain(..).for_each(Waker::wake);
    }

    fn act(&self, name: &str) -> Act {
        locked(&self.acts).get(name).cloned().unwrap_or(Act::Reply)
    }

    /// Returns how many runs have begun.
    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::SeqCst)
    }

    pub(crate) fn under_way(&self) -> usize {
        self.under_way.load(Ordering::SeqCst)
    }
}

fn locked<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

struct UnderWay<'a>(&'a AtomicUsize);

impl<'a> UnderWay<'a> {
    fn begin(count: &'a AtomicUsize) -> Self {
        count.fetch_add(1, Ordering::SeqCst);
        Self(count)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Handler<Get> for Store {
    async fn handle(&self, msg: Get, _cx: &Context<'_>) -> Result<(u32, Arc<str>), Failed> {
        let run = self.runs.fetch_add(1, Ordering::SeqCst) + 1;
        let _under_way = UnderWay::begin(&self.under_way);
        loop {
            match self.act(&msg.0) {
                Act::Reply => return Ok((run, msg.0.into())),
                Act::Fail(failed) => return Err(failed),
                Act::Panic => panic!("on purpose"),
                Act::Wait => {
                    let mut polled = false;
                    poll_fn(|task| {
                        if std::mem::replace(&mut polled, true) {
                            return Poll::Ready(());
                        }
                        locked(&self.wakers).push(task.waker().clone());
                        match self.act(&msg.0) {
                            Act::Wait => Poll::Pending,
                            _ => Poll::Ready(()),
                        }
                    })
                    .await;
                }
            }
        }
    }
}

/// Returns the number of the run that made a reply.
pub(crate) fn run_of(outcome: Outcome<Get>) -> u32 {
    outcome.expect("a reply").0
}

/// Returns the numbers of the runs from which each lane's reply comes.
pub(crate) fn each_lane(bus: &QueryBus, name: &str) -> [u32; 2] {
    [
        run_of(bus.execute_blocking(get(name))),
        run_of(ready(bus.execute(get(name)))),
    ]
}

pub(crate) fn ready<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("it does not wait"),
    }
}

/// A middleware that notes the source of each reply that passes.
#[derive(Clone, Default)]
pub(crate) struct Sources(Arc<Mutex<Vec<Source>>>);

impl Sources {
    pub(crate) fn layer(&self) -> arcbus::Gated<arcbus::InspectGate<Before, impl After>> {
        let sources = self.clone();
        let before: Before = |_, _| ();
        inspect(before, move |outcome: &Outcome<Get>, cx: &Context<'_>| {
            if outcome.is_ok() {
                locked(&sources.0).push(cx.source());
            }
        })
    }

    pub(crate) fn take(&self) -> Vec<Source> {
        std::mem::take(&mut *locked(&self.0))
    }
}

pub(crate) type Before = fn(&Get, &Context<'_>);

pub(crate) trait After: Fn(&Outcome<Get>, &Context<'_>) + Send + Sync + 'static {}

impl<F: Fn(&Outcome<Get>, &Context<'_>) + Send + Sync + 'static> After for F {}

/// A dispatch that is polled by hand, with the number of its wake-ups.
pub(crate) struct Sent<'a> {
    future: Pin<Box<dyn Future<Output = Outcome<Get>> + Send + 'a>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl<'a> Sent<'a> {
    pub(crate) fn new(bus: &'a QueryBus, name: &str, cx: Context<'a>) -> Self {
        Self {
            future: Box::pin(bus.execute_with(get(name), cx)),
            wakes: Arc::default(),
        }
    }

    /// Sends a message and polls once, after which the dispatch must be waiting.
    pub(crate) fn pending(bus: &'a QueryBus, name: &str) -> Self {
        Self::pending_in(bus, name, Context::new())
    }

    pub(crate) fn pending_in(bus: &'a QueryBus, name: &str, cx: Context<'a>) -> Self {
        let mut sent = Self::new(bus, name, cx);
        assert_eq!(sent.poll(), None);
        sent
    }

    pub(crate) fn poll(&mut self) -> Option<Outcome<Get>> {
        let waker = Waker::from(Arc::clone(&self.wakes));
        match self.future.as_mut().poll(&mut Task::from_waker(&waker)) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    /// Polls a dispatch that must have been woken and must now end.
    pub(crate) fn woken(&mut self) -> Outcome<Get> {
        assert!(self.wakes() > 0, "it was not woken");
        self.poll().expect("it is done")
    }

    pub(crate) fn wakes(&self) -> usize {
        self.wakes.0.load(Ordering::SeqCst)
    }
}
