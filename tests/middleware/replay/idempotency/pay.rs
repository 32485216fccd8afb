//! A command whose handler follows a script, and a bus with this command.

use std::collections::VecDeque;
use std::future::pending;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context as Task, Poll, Wake, Waker};
use std::time::Duration;

use arcbus::middleware::{Idempotency, IdempotencyKey};
use arcbus::{
    BusBuilder, CancelToken, Command, CommandBus, Context, Error, FakeClock, Handler, Layer,
    Message, Middleware, Next, Outcome, Source, Stack, Violations,
};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HOUR: Duration = Duration::from_secs(3600);
pub(crate) const NANO: Duration = Duration::from_nanos(1);

/// A command that is invalid if the amount is zero.
#[derive(Clone, Debug, Hash)]
pub(crate) struct Pay(pub(crate) u32);

impl Message for Pay {
    const NAME: &'static str = "pay";
    type Kind = Command;
    /// The number of the run that made the reply.
    type Reply = u32;
    type Error = String;

    fn validate(&self) -> Result<(), Violations> {
        let mut violations = Violations::new();
        if self.0 == 0 {
            violations.add("cents", "positive", "must be positive");
        }
        violations.into_result()
    }
}

/// The behaviour of a run.
#[derive(Clone, Debug)]
pub(crate) enum Run {
    Answer,
    Fail,
    Panic,
    Never,
    /// Waits for the token, then continues with the inner behaviour.
    After(CancelToken, Box<Run>),
}

impl Run {
    pub(crate) fn after(token: &CancelToken, then: Run) -> Self {
        Self::After(token.clone(), Box::new(then))
    }
}

/// A handler that follows the script, one entry for each run, and replies after the script's end.
#[derive(Clone, Default)]
pub(crate) struct Payments {
    runs: Arc<AtomicU32>,
    script: Arc<Mutex<VecDeque<Run>>>,
    /// Number of runs whose future has not been dropped yet.
    running: Arc<AtomicUsize>,
}

struct Gone(Arc<AtomicUsize>);

impl Drop for Gone {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Payments {
    pub(crate) fn script(&self, runs: impl IntoIterator<Item = Run>) {
        self.lock().extend(runs);
    }

    /// Returns how many runs have begun.
    pub(crate) fn runs(&self) -> u32 {
        self.runs.load(Ordering::Relaxed)
    }

    pub(crate) fn running(&self) -> usize {
        self.running.load(Ordering::Relaxed)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, VecDeque<Run>> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn go(&self, run: Run, number: u32) -> Result<u32, String> {
        match run {
            Run::Answer => Ok(number),
            Run::Fail => Err("failed".into()),
            Run::Panic => panic!("on purpose"),
            Run::Never => pending().await,
            Run::After(token, then) => {
                token.cancelled().await;
                Box::pin(self.go(*then, number)).await
            }
        }
    }
}

impl Handler<Pay> for Payments {
    async fn handle(&self, _msg: Pay, _cx: &Context<'_>) -> Result<u32, String> {
        let number = self.runs.fetch_add(1, Ordering::Relaxed) + 1;
        self.running.fetch_add(1, Ordering::Relaxed);
        let _gone = Gone(Arc::clone(&self.running));
        let run = self.lock().pop_front().unwrap_or(Run::Answer);
        self.go(run, number).await
    }
}

/// A layer that notes the source of each reply.
#[derive(Clone, Default)]
pub(crate) struct Sources(pub(crate) Arc<Mutex<Vec<Source>>>);

impl<M: Message> Middleware<M> for Sources {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        let reply = next.run(msg, cx).await?;
        self.0.lock().expect("no panic").push(cx.source());
        Ok(reply)
    }
}

/// A bus that takes payments, with its clock and its handler.
pub(crate) struct Shop {
    pub(crate) bus: CommandBus,
    pub(crate) payments: Payments,
    pub(crate) clock: FakeClock,
    sources: Sources,
}

impl Shop {
    /// Builds a shop that keeps its keys in memory for an hour.
    pub(crate) fn new() -> Self {
        Self::with(Idempotency::in_memory(HOUR))
    }

    pub(crate) fn with<L: Layer<Pay>>(layer: L) -> Self {
        Self::inside(layer, |builder| builder)
    }

    /// Builds a shop with additional inner layers.
    pub(crate) fn inside<L, S>(
        layer: L,
        inner: impl FnOnce(BusBuilder<Command, arcbus::More<WithSources, L>>) -> BusBuilder<Command, S>,
    ) -> Self
    where
        L: Layer<Pay>,
        S: Stack<Pay>,
    {
        let (payments, clock) = (Payments::default(), FakeClock::new());
        let sources = Sources::default();
        let builder = CommandBus::builder()
            .clock(clock.clone())
            .wrap(sources.clone())
            .layer(layer);
        let bus = inner(builder).register(payments.clone()).build();
        Self {
            bus: bus.expect("in range"),
            payments,
            clock,
            sources,
        }
    }

    pub(crate) fn sources(&self) -> Vec<Source> {
        std::mem::take(&mut *self.sources.0.lock().expect("no panic"))
    }

    pub(crate) fn runs(&self) -> u32 {
        self.payments.runs()
    }

    /// Pays in the blocking lane, on this thread.
    pub(crate) fn pay(&self, key: &str, cents: u32) -> Outcome<Pay> {
        self.bus.execute_blocking_with(Pay(cents), keyed(key))
    }

    /// Pays in the async lane, whose future must be ready at once.
    pub(crate) fn pay_awaited(&self, key: &str, cents: u32) -> Outcome<Pay> {
        let mut sent = self.send(key, cents);
        sent.poll().expect("it does not wait")
    }

    /// Pays in both lanes, first in the blocking one.
    pub(crate) fn pays(&self, key: &str, cents: u32) -> [Outcome<Pay>; 2] {
        [self.pay(key, cents), self.pay_awaited(key, cents)]
    }

    pub(crate) fn send(&self, key: &str, cents: u32) -> Sent<'_> {
        self.send_with(key, cents, Context::new())
    }

    pub(crate) fn send_with<'a>(&'a self, key: &str, cents: u32, cx: Context<'a>) -> Sent<'a> {
        let cx = cx.with(IdempotencyKey::new(key));
        Sent {
            future: Box::pin(self.bus.execute_with(Pay(cents), cx)),
            wakes: Arc::default(),
        }
    }

    /// Sends a payment and polls once, after which it must be waiting.
    pub(crate) fn pending(&self, key: &str, cents: u32) -> Sent<'_> {
        self.send(key, cents).waits()
    }
}

type WithSources = arcbus::More<arcbus::NoLayers, arcbus::Wrapped<Sources>>;

pub(crate) fn keyed(key: &str) -> Context<'static> {
    Context::new().with(IdempotencyKey::new(key))
}

/// A dispatch that is polled by hand, with the number of its wake-ups.
pub(crate) struct Sent<'a> {
    future: Pin<Box<dyn Future<Output = Outcome<Pay>> + Send + 'a>>,
    wakes: Arc<Wakes>,
}

#[derive(Default)]
struct Wakes(AtomicUsize);

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

impl Sent<'_> {
    pub(crate) fn waits(mut self) -> Self {
        assert_eq!(self.poll(), None);
        self
    }

    pub(crate) fn poll(&mut self) -> Option<Outcome<Pay>> {
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

pub(crate) fn in_doubt() -> Outcome<Pay> {
    Err(Error::InDoubt)
}

pub(crate) fn failed() -> Outcome<Pay> {
    Err(Error::Handler("failed".into()))
}

/// Returns whether the command was rejected because its payload differs from the first.
pub(crate) fn is_conflict(outcome: &Outcome<Pay>) -> bool {
    match outcome {
        Err(Error::Rejected(rejection)) => rejection.kind() == arcbus::RejectionKind::Conflict,
        _ => false,
    }
}
