//! What the models in `tests/` share. There is nothing here without the cfg `arcbus_loom`.
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

/// A message.
#[derive(Debug)]
pub struct First;

/// Another message.
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

/// What a dropped handler leaves in its payload.
pub const DROPPED: usize = 99;

/// A handler that replies what its payload holds, and overwrites it when dropped: `loom` then
/// reports a handler that is read before it is written, or dropped while it runs.
#[derive(Debug)]
pub struct Reads {
    payload: Arc<Payload>,
    life: Arc<Life>,
}

impl Reads {
    /// A handler with a payload written by the thread that calls this.
    #[must_use]
    pub fn new(value: usize) -> Self {
        Self {
            payload: Arc::new(Payload::new(value)),
            life: Arc::default(),
        }
    }

    /// The payload, to look at from outside.
    #[must_use]
    pub fn payload(&self) -> Arc<Payload> {
        Arc::clone(&self.payload)
    }

    /// What happens to the handler.
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

/// A handler that is pending once, and then replies as [`Reads`].
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

/// What happens to a handler. Orders nothing.
#[derive(Debug, Default)]
pub struct Life {
    /// A place in the model where a running handler and who looks at it meet.
    step: loom::sync::atomic::AtomicUsize,
    running: AtomicUsize,
    dropped: Mutex<Option<ThreadId>>,
}

impl Life {
    fn run(&self) {
        self.running.fetch_add(1, Relaxed);
        // Others run here, while the handler does.
        self.step.fetch_add(1, Relaxed);
        self.running.fetch_sub(1, Relaxed);
    }

    /// Whether the handler runs now.
    #[must_use]
    pub fn is_running(&self) -> bool {
        self.step.load(Relaxed);
        self.running.load(Relaxed) > 0
    }

    fn dropped(&self, by: ThreadId) {
        *self.dropped.lock().unwrap() = Some(by);
    }

    /// The thread that dropped the handler.
    #[must_use]
    pub fn dropped_by(&self) -> Option<ThreadId> {
        *self.dropped.lock().unwrap()
    }
}

/// How often a state was seen in all runs of a model.
#[derive(Debug, Default)]
pub struct Seen(AtomicUsize);

impl Seen {
    /// Never yet.
    #[must_use]
    pub const fn new() -> Self {
        Self(AtomicUsize::new(0))
    }

    /// Counts once if `so`.
    pub fn count(&self, so: bool) {
        self.0.fetch_add(usize::from(so), Relaxed);
    }

    /// How often.
    #[must_use]
    pub fn times(&self) -> usize {
        self.0.load(Relaxed)
    }
}

/// Whether `ARCBUS_LOOM_FULL` asks for every order, however many preemptions it takes.
fn full() -> bool {
    std::env::var_os("ARCBUS_LOOM_FULL").is_some()
}

/// Drives `future` on this thread, which waits for its waker; says how often it was pending.
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
        // Who polls again and again lets the others go on.
        loom::thread::yield_now();
    }
    pending
}

/// Runs `model` in every order of its threads' steps with up to `preemptions` preemptions, or
/// with any number of them ([`full`]), then checks that every state of `states` was seen.
pub fn explore<const N: usize>(
    name: &str,
    preemptions: usize,
    states: [(&str, &'static Seen); N],
    model: impl Fn() + Send + Sync + 'static,
) {
    explore_up_to(name, (!full()).then_some(preemptions), states, model);
}

/// [`explore`] with a bound that holds always: for a model that has more orders than anybody waits for,
/// or whose states only the orders show that a bound adds. `loom` keeps an atomic's last access alone: who
/// loads what it is about to change hides an earlier reader, and without a bound it is not run again with
/// the two the other way round.
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

/// Runs `model`, which must fail, with every atomic of the bus weakened to `Relaxed`. Always with a bound:
/// one order that fails is enough.
pub fn weakened(model: impl Fn() + Send + Sync + 'static) {
    /// Also when the model fails, as it must.
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
