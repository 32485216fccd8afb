//! Support for the models in `tests/`, in a crate that is empty without the cfg `arcbus_loom`.
#![cfg(arcbus_loom)]

use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::sync::{Arc, Mutex};
use std::task::{Context as Task, Poll};

use arcbus::__model::Parking;
use arcbus::{Context, Handler, Message, Query};

use loom::thread::ThreadId;

mod payload;
pub use arcbus::NoLayers;
pub use payload::Payload;

/// A query of the models, which most of them dispatch alone.
#[derive(Debug)]
pub struct First;

/// A second query, for models that change two handlers together.
#[derive(Debug)]
pub struct Second;

impl Message for First {
    const NAME: &'static str = "first";
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

impl Message for Second {
    const NAME: &'static str = "second";
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

/// The value that a dropped handler leaves in its payload, unlike any reply.
pub const DROPPED: usize = 99;

/// A handler that replies with its payload, and overwrites the payload when dropped. So `loom` reports a
/// handler that is read before its payload is written, or dropped while running.
#[derive(Debug)]
pub struct Reads {
    payload: Arc<Payload>,
    life: Arc<Life>,
}

impl Reads {
    /// Creates a handler with a payload that the calling thread writes.
    #[must_use]
    pub fn new(value: usize) -> Self {
        Self {
            payload: Arc::new(Payload::new(value)),
            life: Arc::default(),
        }
    }

    /// Returns the payload, for a model to check from outside.
    #[must_use]
    pub fn payload(&self) -> Arc<Payload> {
        Arc::clone(&self.payload)
    }

    /// Returns the record of the handler's life, which outlives the handler.
    #[must_use]
    pub fn life(&self) -> Arc<Life> {
        Arc::clone(&self.life)
    }

    fn reply(&self) -> Result<usize, String> {
        let reply = self.payload.get();
        self.life.run();
        assert_eq!(self.payload.get(), reply);
        Ok(reply)
    }
}

impl Handler<First> for Reads {
    async fn handle(&self, _: First, _: &Context<'_>) -> Result<usize, String> {
        self.reply()
    }
}

impl Handler<Second> for Reads {
    async fn handle(&self, _: Second, _: &Context<'_>) -> Result<usize, String> {
        self.reply()
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.payload.set(DROPPED);
            self.life.dropped(loom::thread::current().id());
        }
    }
}

/// A handler that is pending once, and then replies like [`Reads`].
#[derive(Debug)]
pub struct Waits(pub Reads);

impl Handler<First> for Waits {
    async fn handle(&self, _: First, _: &Context<'_>) -> Result<usize, String> {
        let reply = self.0.reply();
        let mut polled = false;
        std::future::poll_fn(|_| match std::mem::replace(&mut polled, true) {
            false => Poll::Pending,
            true => Poll::Ready(()),
        })
        .await;
        assert_eq!(self.0.reply(), reply);
        reply
    }
}

/// A record of the life of a handler, which orders no other access.
#[derive(Debug, Default)]
pub struct Life {
    /// Touched by a running handler and by its observer, so that `loom` switches between them here.
    step: loom::sync::atomic::AtomicUsize,
    running: AtomicUsize,
    dropped: Mutex<Option<ThreadId>>,
}

impl Life {
    fn run(&self) {
        self.running.fetch_add(1, Relaxed);
        // Other threads run here, while the handler is running.
        self.step.fetch_add(1, Relaxed);
        self.running.fetch_sub(1, Relaxed);
    }

    /// Returns whether the handler is running, and lets `loom` switch threads before looking.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.step.load(Relaxed);
        self.running.load(Relaxed) > 0
    }

    fn dropped(&self, by: ThreadId) {
        *self.dropped.lock().unwrap() = Some(by);
    }

    /// Returns the thread that dropped the handler, or `None` if the handler is still alive.
    #[must_use]
    pub fn dropped_by(&self) -> Option<ThreadId> {
        *self.dropped.lock().unwrap()
    }
}

/// A count of how often all runs of a model saw a state.
#[derive(Debug, Default)]
pub struct Seen(AtomicUsize);

impl Seen {
    /// Creates a count of zero, to be kept in a static across all runs.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Adds one if `so` is true, that is, if this run saw the state.
    pub fn count(&self, so: bool) {
        self.0.fetch_add(usize::from(so), Relaxed);
    }

    /// Returns how many runs have seen the state until now.
    #[must_use]
    pub fn times(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Returns whether `ARCBUS_LOOM_FULL` asks for every order, without a bound on preemptions.
fn full() -> bool {
    std::env::var_os("ARCBUS_LOOM_FULL").is_some()
}

/// Drives `future` on this thread, which is parked between polls, and returns how often the future was
/// pending.
pub fn block_on(future: impl Future<Output = ()>) -> usize {
    let mut future = std::pin::pin!(future);
    let parking = Parking::new();
    let waker = parking.waker();
    let mut pending = 0;
    while future
        .as_mut()
        .poll(&mut Task::from_waker(&waker))
        .is_pending()
    {
        pending += 1;
        parking.park();
        // Let the other threads go on, instead of polling again and again.
        loom::thread::yield_now();
    }
    pending
}

/// Runs `model` in every order of its threads' steps with up to `preemptions` preemptions, or with any number
/// of them if [`full`]. Then checks that every state of `states` was seen.
pub fn explore<const N: usize>(
    name: &str,
    preemptions: usize,
    states: [(&str, &'static Seen); N],
    model: impl Fn() + Send + Sync + 'static,
) {
    explore_up_to(name, (!full()).then_some(preemptions), states, model);
}

/// Runs `model` like [`explore`], always with the bound. Some models have too many orders to run them all.
/// Others see their states only in the orders that a bound adds. `loom` keeps only the last access of an
/// atomic, so a thread that loads an atomic before changing the value hides an earlier reader. Without a
/// bound, `loom` does not run those two in the opposite order.
pub fn explore_bounded<const N: usize>(
    name: &str,
    preemptions: usize,
    states: [(&str, &'static Seen); N],
    model: impl Fn() + Send + Sync + 'static,
) {
    explore_up_to(name, Some(preemptions), states, model);
}

fn explore_up_to<const N: usize>(
    name: &str,
    preemptions: Option<usize>,
    states: [(&str, &'static Seen); N],
    model: impl Fn() + Send + Sync + 'static,
) {
    let runs = Arc::new(Seen::new());
    let counted = Arc::clone(&runs);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = preemptions;
    builder.max_branches = 5_000;
    let began = std::time::Instant::now();
    builder.check(move || {
        counted.count(true);
        model();
    });
    let seen = states.map(|(state, seen)| format!("{state} {}", seen.times()));
    println!(
        "{name}: {} runs in {:.1?}; {}",
        runs.times(),
        began.elapsed(),
        seen.join(", ")
    );
    for (state, seen) in states {
        assert!(seen.times() > 0, "{name}: never seen: {state}");
    }
}

/// Runs `model`, which must fail, with every atomic of the bus weakened to `Relaxed`. Runs with a bound even
/// if [`full`], because one failing order is enough.
pub fn weakened(model: impl Fn() + Send + Sync + 'static) {
    /// Restores the orderings on drop, because the model must panic.
    struct Restore;
    impl Drop for Restore {
        fn drop(&mut self) {
            arcbus::__model::weaken(false);
        }
    }
    let _restore = Restore;
    arcbus::__model::weaken(true);
    explore_bounded("weakened", 2, [], model);
}
