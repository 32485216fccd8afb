//! What the models in `tests/` share. There is nothing here without the cfg `arcbus_loom`.
#![cfg(arcbus_loom)]

use std::future::{Ready, ready};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use arcbus::{Context, Handler, Message, Query};

mod payload;
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
pub struct Reads(Arc<Payload>);

impl Reads {
    /// A handler with a payload written by the thread that calls this.
    #[must_use]
    pub fn new(value: usize) -> Self {
        Self(Arc::new(Payload::new(value)))
    }

    /// The payload, to look at from outside.
    #[must_use]
    pub fn payload(&self) -> Arc<Payload> {
        Arc::clone(&self.0)
    }

    fn reply(&self) -> Ready<Result<usize, String>> {
        let reply = self.0.get();
        assert_eq!(self.0.get(), reply);
        ready(Ok(reply))
    }
}

impl Handler<First> for Reads {
    fn handle(
        &self,
        _: First,
        _: &Context<'_>,
    ) -> impl Future<Output = Result<usize, String>> + Send {
        self.reply()
    }
}

impl Handler<Second> for Reads {
    fn handle(
        &self,
        _: Second,
        _: &Context<'_>,
    ) -> impl Future<Output = Result<usize, String>> + Send {
        self.reply()
    }
}

impl Drop for Reads {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            self.0.set(DROPPED);
        }
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
        self.0.fetch_add(usize::from(so), Ordering::Relaxed);
    }

    /// How often.
    #[must_use]
    pub fn times(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

/// Runs `model` in every order of its threads' steps with up to `preemptions` preemptions, or with any
/// number of them if `ARCBUS_LOOM_FULL` is set; then checks that every state of `states` was seen.
pub fn explore<const N: usize>(
    name: &str,
    preemptions: usize,
    states: [(&str, &'static Seen); N],
    model: impl Fn() + Send + Sync + 'static,
) {
    let runs = Arc::new(Seen::new());
    let counted = Arc::clone(&runs);
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions).filter(|_| !is_full());
    builder.max_branches = 100_000;
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

fn is_full() -> bool {
    std::env::var_os("ARCBUS_LOOM_FULL").is_some()
}

/// Runs `model`, which must fail, with every atomic of the bus weakened to `Relaxed`.
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
    explore("weakened", 2, [], model);
}
