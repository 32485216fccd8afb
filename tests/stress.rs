//! Nothing is lost and nothing is kept, on the real primitives: threads dispatch through every handle
//! and in both lanes, hand waiting dispatches to each other, drop some half way, and swap handlers all
//! the while, from outside and from inside of handlers. Every message, handler, future, reply and
//! context value is counted in and out.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::thread;

use arcbus::{
    Command, CommandBus, Context, Dispatch, Error, Handler, Message, NoLayers, Registrar, Retired,
    Route,
};

type Admin = Registrar<Command, NoLayers>;

const DISPATCHERS: usize = 3;
const WRITERS: usize = 2;

/// How many tokens were made, and how many dropped.
#[derive(Default)]
struct Ledger {
    made: AtomicUsize,
    dropped: AtomicUsize,
}

/// What everything that must not be lost carries.
struct Token(Arc<Ledger>);

impl Token {
    fn new(ledger: &Arc<Ledger>) -> Self {
        ledger.made.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(ledger))
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        self.0.dropped.fetch_add(1, Ordering::Relaxed);
    }
}

enum Act {
    Answer,
    Fail,
    Panic,
    /// Waits once.
    Wait,
    /// Waits for ever.
    Hang,
    /// Replaces the handler that runs, and dispatches to the new one.
    Swap(Admin, CommandBus),
}

struct Work<const N: usize> {
    act: Act,
    token: Token,
}

impl<const N: usize> Message for Work<N> {
    const NAME: &'static str = ["zero", "one", "two"][N];
    type Kind = Command;
    type Reply = Token;
    type Error = Token;
}

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token")
    }
}

impl std::fmt::Display for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a token")
    }
}

/// A handler that must not run any more once it is said to be idle.
struct Worker {
    ledger: Arc<Ledger>,
    is_idle: Arc<AtomicBool>,
    _token: Token,
}

impl Worker {
    fn new(ledger: &Arc<Ledger>) -> Self {
        Self {
            ledger: Arc::clone(ledger),
            is_idle: Arc::default(),
            _token: Token::new(ledger),
        }
    }

    fn assert_busy(&self) {
        // A panic here would be caught, as a handler's panics are.
        if self.is_idle.load(Ordering::SeqCst) {
            eprintln!("a handler runs that was said to be idle");
            std::process::abort();
        }
    }
}

impl<const N: usize> Handler<Work<N>> for Worker {
    async fn handle(&self, msg: Work<N>, cx: &Context<'_>) -> Result<Token, Token> {
        self.assert_busy();
        let _kept = Token::new(&self.ledger);
        let ended = match msg.act {
            Act::Answer => Ok(msg.token),
            Act::Fail => Err(msg.token),
            Act::Panic => panic!("on purpose"),
            Act::Wait => {
                Once(false).await;
                Ok(msg.token)
            }
            Act::Hang => std::future::pending().await,
            Act::Swap(registrar, bus) => {
                let _ = registrar.replace::<Work<N>, _>(Worker::new(&self.ledger));
                let msg = Work::<N> {
                    act: Act::Answer,
                    token: msg.token,
                };
                match bus.execute_in(cx, msg).await {
                    Ok(token) => Ok(token),
                    Err(_) => Err(Token::new(&self.ledger)),
                }
            }
        };
        self.assert_busy();
        ended
    }
}

/// Pending once.
struct Once(bool);

impl Future for Once {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Task<'_>) -> Poll<()> {
        if std::mem::replace(&mut self.0, true) {
            return Poll::Ready(());
        }
        task.waker().wake_by_ref();
        Poll::Pending
    }
}

/// How dispatches ended.
#[derive(Debug, Default)]
struct Ended {
    ok: AtomicUsize,
    failed: AtomicUsize,
    panicked: AtomicUsize,
    not_found: AtomicUsize,
    /// Dropped half way, by choice.
    left: AtomicUsize,
}

impl Ended {
    fn count(&self, outcome: Result<Token, Error<Token>>) {
        let counter = match outcome {
            Ok(_) => &self.ok,
            Err(Error::Handler(_)) => &self.failed,
            Err(Error::Panicked { .. }) => &self.panicked,
            Err(Error::HandlerNotFound { .. }) => &self.not_found,
            Err(other) => panic!("unexpected: {other:?}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn counters(&self) -> [usize; 5] {
        let Self {
            ok,
            failed,
            panicked,
            not_found,
            left,
        } = self;
        [ok, failed, panicked, not_found, left].map(|counter| counter.load(Ordering::Relaxed))
    }

    fn total(&self) -> usize {
        self.counters().iter().sum()
    }
}

/// Pseudo-random numbers (xorshift64), different and repeatable for each thread.
struct Dice(u64);

impl Dice {
    fn new(seed: usize) -> Self {
        Self(0x9E37_79B9_7F4A_7C15 ^ (seed as u64 + 1))
    }

    fn roll(&mut self, sides: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % sides
    }
}

type Travelling<'a> = Pin<Box<dyn Future<Output = Result<Token, Error<Token>>> + Send + 'a>>;

struct World {
    bus: CommandBus,
    registrar: Admin,
    ledger: Arc<Ledger>,
    ended: Ended,
    /// Of the first handler of the third message.
    last_is_idle: Arc<AtomicBool>,
}

impl World {
    fn open() -> Self {
        let ledger = Arc::default();
        let third = Worker::new(&ledger);
        let last_is_idle = Arc::clone(&third.is_idle);
        let (bus, registrar) = CommandBus::builder()
            .register::<Work<0>, _>(Worker::new(&ledger))
            .register::<Work<1>, _>(Worker::new(&ledger))
            .register::<Work<2>, _>(third)
            .open()
            .expect("three names");
        Self {
            bus,
            registrar,
            ledger,
            ended: Ended::default(),
            last_is_idle,
        }
    }

    fn act<const N: usize>(&self, dice: &mut Dice) -> Act {
        match dice.roll(40) {
            0 => Act::Panic,
            1..=4 => Act::Fail,
            5..=12 => Act::Wait,
            13 if N < 2 => Act::Swap(self.registrar.clone(), self.bus.clone()),
            _ => Act::Answer,
        }
    }

    fn work<const N: usize>(&self, act: Act) -> Work<N> {
        Work {
            act,
            token: Token::new(&self.ledger),
        }
    }

    fn context(&self) -> Context<'static> {
        Context::new().with(Token::new(&self.ledger))
    }

    /// One dispatch through `handle`.
    fn dispatch<const N: usize>(&self, dice: &mut Dice, mut handle: impl Dispatch<Work<N>>) {
        let msg = self.work::<N>(self.act::<N>(dice));
        let outcome = match dice.roll(4) {
            0 => handle.execute_blocking(msg),
            1 => handle.execute_blocking_with(msg, self.context()),
            2 => finish(Box::pin(handle.execute(msg))),
            _ => finish(Box::pin(handle.execute_with(msg, self.context()))),
        };
        self.ended.count(outcome);
    }

    /// Begins a dispatch and drops it while it waits.
    fn leave(&self, mut handle: impl Dispatch<Work<1>>) {
        let msg = self.work::<1>(Act::Hang);
        let mut future = Box::pin(handle.execute_with(msg, self.context()));
        match poll(future.as_mut()) {
            Poll::Pending => _ = self.ended.left.fetch_add(1, Ordering::Relaxed),
            Poll::Ready(outcome) => self.ended.count(outcome),
        }
    }

    /// Begins a dispatch for another thread to end.
    fn send<'a>(&'a self, dice: &mut Dice, others: &mpsc::Sender<Travelling<'a>>) {
        let act = if dice.roll(3) == 0 {
            Act::Hang
        } else {
            Act::Wait
        };
        let mut future: Travelling<'a> = Box::pin(self.bus.execute(self.work::<0>(act)));
        match poll(future.as_mut()) {
            Poll::Pending => others.send(future).expect("the other thread"),
            Poll::Ready(outcome) => self.ended.count(outcome),
        }
    }

    fn dispatch_much<'a>(
        &'a self,
        seed: usize,
        rounds: usize,
        others: &mpsc::Sender<Travelling<'a>>,
    ) {
        let dice = &mut Dice::new(seed);
        let mut local = self.bus.local();
        let mut route: Option<Route<Work<0>>> = None;
        for _ in 0..rounds {
            match dice.roll(14) {
                0..=2 => self.dispatch::<0>(dice, &self.bus),
                3..=4 => self.dispatch::<1>(dice, &self.bus),
                12 => self.dispatch::<2>(dice, &self.bus),
                13 => self.dispatch::<2>(dice, &mut local),
                5..=6 => self.dispatch::<1>(dice, &mut local),
                7..=8 => match route.as_mut() {
                    Some(route) => self.dispatch::<0>(dice, route),
                    None => {
                        // Counted, so that each round ends in one way.
                        route = self.bus.route().ok();
                        self.dispatch::<0>(dice, &mut local);
                    }
                },
                9 => {
                    route = None;
                    self.dispatch::<0>(dice, &mut local);
                }
                10 => self.leave(&self.bus),
                _ => self.send(dice, others),
            }
        }
    }

    /// Ends what other threads began, or drops it.
    fn end_for_others(&self, begun: &mpsc::Receiver<Travelling<'_>>) {
        for mut future in begun {
            match poll(future.as_mut()) {
                Poll::Pending => _ = self.ended.left.fetch_add(1, Ordering::Relaxed),
                Poll::Ready(outcome) => self.ended.count(outcome),
            }
        }
    }

    /// Changes the handlers of the first two messages in every way.
    fn swap_until(&self, seed: usize, stop: &AtomicBool) -> usize {
        let dice = &mut Dice::new(seed);
        let mut swaps = 0;
        while !stop.load(Ordering::Relaxed) {
            let [first, second] = [(); 2].map(|()| Worker::new(&self.ledger));
            let swapped = match dice.roll(4) {
                0 => self.registrar.deregister::<Work<1>>().is_ok(),
                1 => self.registrar.register::<Work<1>, _>(first).is_ok(),
                2 => self.registrar.replace::<Work<0>, _>(first).is_ok(),
                _ => self
                    .registrar
                    .update(|batch| {
                        batch
                            .replace::<Work<0>, _>(first)
                            .replace::<Work<1>, _>(second);
                    })
                    .is_ok(),
            };
            swaps += usize::from(swapped);
        }
        swaps
    }

    /// Changes the handler of the third message, which nobody else changes, and notes which handlers
    /// are said to be idle: those end the process if they run again.
    fn retire_until(&self, stop: &AtomicBool) -> usize {
        let mut idle_when_drained: Vec<(Retired, Arc<AtomicBool>)> = Vec::new();
        let mut is_idle = Arc::clone(&self.last_is_idle);
        let mut drained = 0;
        while !stop.load(Ordering::Relaxed) {
            let worker = Worker::new(&self.ledger);
            let next = Arc::clone(&worker.is_idle);
            let retired = self.registrar.replace::<Work<2>, _>(worker);
            idle_when_drained.push((retired.expect("registered"), is_idle));
            is_idle = next;
            idle_when_drained.retain(|(retired, is_idle)| {
                let is_drained = retired.is_drained();
                is_idle.fetch_or(is_drained, Ordering::SeqCst);
                drained += usize::from(is_drained);
                !is_drained
            });
        }
        drained
    }
}

fn poll<T>(future: Pin<&mut (impl Future<Output = T> + ?Sized)>) -> Poll<T> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

fn finish<T>(mut future: Pin<Box<impl Future<Output = T>>>) -> T {
    loop {
        if let Poll::Ready(output) = poll(future.as_mut()) {
            return output;
        }
    }
}

fn stress(rounds: usize) {
    let world = World::open();
    let stop = AtomicBool::new(false);
    let (swaps, drained) = thread::scope(|scope| {
        let (world, stop) = (&world, &stop);
        let (others, begun) = mpsc::channel();
        let ending = scope.spawn(move || world.end_for_others(&begun));
        let writers: Vec<_> = (0..WRITERS)
            .map(|seed| scope.spawn(move || world.swap_until(seed, stop)))
            .collect();
        let retiring = scope.spawn(move || world.retire_until(stop));
        let dispatchers: Vec<_> = (0..DISPATCHERS)
            .map(|seed| {
                let others = others.clone();
                scope.spawn(move || world.dispatch_much(seed + WRITERS, rounds, &others))
            })
            .collect();
        drop(others);
        for dispatcher in dispatchers {
            dispatcher.join().expect("a dispatcher");
        }
        ending.join().expect("the thread that ends for others");
        stop.store(true, Ordering::Relaxed);
        let swaps: usize = writers
            .into_iter()
            .map(|w| w.join().expect("a writer"))
            .sum();
        (swaps, retiring.join().expect("the thread that retires"))
    });
    let World {
        bus,
        registrar,
        ledger,
        ended,
        ..
    } = world;
    drop((bus, registrar));
    let (made, dropped) = (&ledger.made, &ledger.dropped);
    println!("{ended:?}, {swaps} swaps, {drained} handlers drained, {made:?} tokens");
    assert_eq!(ended.total(), DISPATCHERS * rounds, "each ends in one way");
    assert!(ended.counters().iter().all(|counter| *counter > 0));
    assert!(swaps > 0 && drained > 0);
    let [made, dropped] = [made, dropped].map(|count| count.load(Ordering::Relaxed));
    assert_eq!(made, dropped, "what was made, and what was dropped");
}

#[test]
fn nothing_is_lost_and_nothing_kept() {
    stress(5_000);
}

#[test]
#[ignore = "millions of dispatches: run in release"]
fn nothing_is_lost_and_nothing_kept_for_long() {
    stress(2_000_000);
}
