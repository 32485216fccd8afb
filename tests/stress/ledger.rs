//! Nothing is lost and nothing is kept, on the real primitives. Threads dispatch through every
//! handle and in both lanes, pass waiting dispatches to each other, and drop, cancel and time out
//! some of them. They swap handlers all the while, from outside and from inside of handlers. Every
//! message, handler, future, reply and context value is counted in and out.

use std::panic::resume_unwind;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::Duration;

use arcbus::{
    CancelToken, Command, CommandBus, Context, Dispatch, Error, Handler, Message, NoLayers,
    Registrar, Retired, Route,
};

type Admin = Registrar<Command, NoLayers>;

const DISPATCHERS: usize = 3;
const WRITERS: usize = 2;

/// The tokens that were made, and the tokens that were dropped so far.
#[derive(Default)]
struct Ledger {
    made: Tally,
    dropped: Tally,
}

/// The number of tokens and the sum of their marks. If one token is lost and another dropped twice,
/// the number is right but the sum is wrong.
#[derive(Debug, Default)]
struct Tally {
    count: AtomicUsize,
    marks: AtomicU64,
}

impl Tally {
    fn add(&self, mark: u64) {
        self.marks.fetch_add(mark, Ordering::Relaxed);
    }

    fn total(&self) -> (usize, u64) {
        let Self { count, marks } = self;
        (count.load(Ordering::Relaxed), marks.load(Ordering::Relaxed))
    }
}

/// A part of every value that must not be lost.
struct Token {
    ledger: Arc<Ledger>,
    mark: u64,
}

impl Token {
    fn new(ledger: &Arc<Ledger>) -> Self {
        let number = ledger.made.count.fetch_add(1, Ordering::Relaxed) as u64;
        // Spread over all bits, so that no few marks add up to a few others (the mix of
        // MurmurHash3).
        let mark = (number + 1).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        let mark = (mark ^ (mark >> 33)).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        ledger.made.add(mark);
        Self {
            ledger: Arc::clone(ledger),
            mark,
        }
    }
}

impl Drop for Token {
    fn drop(&mut self) {
        let dropped = &self.ledger.dropped;
        dropped.count.fetch_add(1, Ordering::Relaxed);
        dropped.add(self.mark);
    }
}

enum Act {
    Answer,
    Fail,
    Panic,
    /// Waits for a single turn, and wakes its own task.
    Wait,
    /// Waits for ever.
    Hang,
    /// Replaces the running handler, and dispatches to the new one.
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

/// A handler that must not run any more after it was reported idle.
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
        // A panic would be caught here, like any panic of a handler, so the process aborts.
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
            // Resumes without the panic hook, so that nothing is printed.
            Act::Panic => resume_unwind(Box::new(msg.token)),
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

/// A future that is pending once.
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

/// Counts dispatches by the way in which they ended.
#[derive(Debug, Default)]
struct Ended {
    ok: AtomicUsize,
    failed: AtomicUsize,
    panicked: AtomicUsize,
    not_found: AtomicUsize,
    cancelled: AtomicUsize,
    timed_out: AtomicUsize,
    /// Number of dispatches that were dropped half way by choice.
    left: AtomicUsize,
}

impl Ended {
    fn count(&self, outcome: Result<Token, Error<Token>>) {
        let counter = match outcome {
            Ok(_) => &self.ok,
            Err(Error::Handler(_)) => &self.failed,
            Err(Error::Panicked { .. }) => &self.panicked,
            Err(Error::HandlerNotFound { .. }) => &self.not_found,
            Err(Error::Cancelled { .. }) => &self.cancelled,
            Err(Error::Timeout { .. }) => &self.timed_out,
            Err(other) => panic!("unexpected: {other:?}"),
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }

    fn counters(&self) -> [usize; 7] {
        let Self {
            ok,
            failed,
            panicked,
            not_found,
            cancelled,
            timed_out,
            left,
        } = self;
        [ok, failed, panicked, not_found, cancelled, timed_out, left]
            .map(|counter| counter.load(Ordering::Relaxed))
    }

    fn total(&self) -> usize {
        self.counters().iter().sum()
    }
}

/// Pseudo-random numbers (xorshift64), different for each thread and repeatable.
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

/// A started dispatch that one thread leaves to another, to end or to drop.
enum Errand<'a> {
    End(Travelling<'a>),
    Cancel(CancelToken),
}

type Others<'a> = mpsc::Sender<Errand<'a>>;

struct World {
    bus: CommandBus,
    registrar: Admin,
    ledger: Arc<Ledger>,
    /// Number of messages that were given to a handle.
    begun: AtomicUsize,
    ended: Ended,
    /// The idle flag of the third message's first handler.
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
            begun: AtomicUsize::new(0),
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
        self.begun.fetch_add(1, Ordering::Relaxed);
        Work {
            act,
            token: Token::new(&self.ledger),
        }
    }

    fn context(&self) -> Context<'static> {
        Context::new().with(Token::new(&self.ledger))
    }

    /// Makes one dispatch through `handle`.
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

    /// Starts a dispatch and drops it while it waits.
    fn leave(&self, mut handle: impl Dispatch<Work<1>>) {
        let msg = self.work::<1>(Act::Hang);
        let mut future = Box::pin(handle.execute_with(msg, self.context()));
        match poll(future.as_mut()) {
            Poll::Pending => _ = self.ended.left.fetch_add(1, Ordering::Relaxed),
            Poll::Ready(outcome) => self.ended.count(outcome),
        }
    }

    /// Starts a dispatch that another thread ends.
    fn send<'a>(&'a self, dice: &mut Dice, others: &Others<'a>) {
        let act = if dice.roll(3) == 0 {
            Act::Hang
        } else {
            Act::Wait
        };
        let future: Travelling<'a> = match dice.roll(3) {
            0 => Box::pin(self.bus.execute(self.work::<0>(act))),
            1 => own(self.bus.local(), self.work::<1>(act)),
            _ => match self.bus.route() {
                Ok(route) => own(route, self.work::<1>(act)),
                Err(_) => return,
            },
        };
        self.hand_over(future, others);
    }

    fn hand_over<'a>(&'a self, mut future: Travelling<'a>, others: &Others<'a>) {
        match poll(future.as_mut()) {
            Poll::Pending => others.send(Errand::End(future)).expect("the other thread"),
            Poll::Ready(outcome) => self.ended.count(outcome),
        }
    }

    /// Makes two dispatches that another thread cancels: this thread waits for the first, and the
    /// other thread ends the second.
    fn cancel<'a>(&'a self, mut handle: impl Dispatch<Work<0>>, others: &Others<'a>) {
        let token = CancelToken::new();
        let cx = || self.context().cancel_on(token.clone());
        let awaited = self.bus.execute_with(self.work::<1>(Act::Hang), cx());
        self.hand_over(Box::pin(awaited), others);
        others
            .send(Errand::Cancel(token.clone()))
            .expect("the other thread");
        let awaited = self.bus.execute_with(self.work::<1>(Act::Hang), cx());
        self.hand_over(Box::pin(awaited), others);
        let msg = self.work::<0>(Act::Hang);
        self.ended.count(handle.execute_blocking_with(msg, cx()));
    }

    /// Makes a dispatch that ends by its deadline, before or while its handler runs.
    fn time_out(&self, dice: &mut Dice, mut handle: impl Dispatch<Work<0>>) {
        let timeout = Duration::from_micros(20 * dice.roll(3));
        let cx = self.context().timeout(timeout);
        let msg = self.work::<0>(Act::Hang);
        self.ended.count(handle.execute_blocking_with(msg, cx));
    }

    fn batch(&self, dice: &mut Dice) {
        let msgs: [_; 3] = std::array::from_fn(|_| self.work::<1>(self.act::<1>(dice)));
        for outcome in self.bus.execute_batch_blocking(msgs) {
            self.ended.count(outcome);
        }
    }

    fn dispatch_much<'a>(&'a self, seed: usize, rounds: usize, others: &Others<'a>) {
        let dice = &mut Dice::new(seed);
        let mut local = self.bus.local();
        let mut route: Option<Route<Work<0>>> = None;
        for _ in 0..rounds {
            match dice.roll(64) {
                0..12 => self.dispatch::<0>(dice, &self.bus),
                12..20 => self.dispatch::<1>(dice, &self.bus),
                20..24 => self.dispatch::<2>(dice, &self.bus),
                24..28 => self.dispatch::<2>(dice, &mut local),
                28..36 => self.dispatch::<1>(dice, &mut local),
                36..38 => route = self.bus.route().ok(),
                38..40 => route = None,
                40..50 => match route.as_mut() {
                    Some(route) => self.dispatch::<0>(dice, route),
                    None => self.dispatch::<0>(dice, &mut local),
                },
                50..54 => self.leave(&self.bus),
                54..57 => self.leave(&mut local),
                57..62 => self.send(dice, others),
                62 => self.batch(dice),
                _ => match dice.roll(4) {
                    0 => self.cancel(&self.bus, others),
                    1 => self.cancel(&mut local, others),
                    2 => self.time_out(dice, &self.bus),
                    _ => self.time_out(dice, &mut local),
                },
            }
        }
    }

    /// Ends or drops the dispatches that other threads began.
    fn end_for_others(&self, errands: &mpsc::Receiver<Errand<'_>>) {
        for errand in errands {
            match errand {
                Errand::Cancel(token) => token.cancel(),
                Errand::End(mut future) => match poll(future.as_mut()) {
                    Poll::Pending => _ = self.ended.left.fetch_add(1, Ordering::Relaxed),
                    Poll::Ready(outcome) => self.ended.count(outcome),
                },
            }
        }
    }

    /// Changes the handlers of the first two messages in every way, until told to stop.
    fn swap_until(&self, seed: usize, stop: &AtomicBool) -> usize {
        let dice = &mut Dice::new(seed);
        let mut swaps = 0;
        while !stop.load(Ordering::Relaxed) || swaps == 0 {
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

    /// Changes the handler of the third message, which no other thread changes. Marks the handlers
    /// that were reported idle, which end the process if they run again. Returns how often it
    /// asked, waited and awaited.
    fn retire_until(&self, stop: &AtomicBool) -> [usize; 3] {
        let mut pending: Vec<(Retired, Arc<AtomicBool>)> = Vec::new();
        let mut is_idle = Arc::clone(&self.last_is_idle);
        let mut drained = [0; 3];
        let mut turn = 0;
        while !stop.load(Ordering::Relaxed) || drained.contains(&0) {
            turn += 1;
            let worker = Worker::new(&self.ledger);
            let next = std::mem::replace(&mut is_idle, Arc::clone(&worker.is_idle));
            let retired = self.registrar.replace::<Work<2>, _>(worker);
            let retired = retired.expect("registered");
            // Waiting is slow, because every reader gets a turn, so most rounds only ask.
            match turn % 64 {
                1 => {
                    retired.wait();
                    next.store(true, Ordering::SeqCst);
                    drained[1] += 1;
                }
                2 => {
                    block_on(retired.into_future());
                    next.store(true, Ordering::SeqCst);
                    drained[2] += 1;
                }
                _ => pending.push((retired, next)),
            }
            pending.retain(|(retired, is_idle)| {
                let is_drained = retired.is_drained();
                is_idle.fetch_or(is_drained, Ordering::SeqCst);
                drained[0] += usize::from(is_drained);
                !is_drained
            });
        }
        drained
    }
}

/// Returns a dispatch that owns its handle.
fn own<'a>(mut handle: impl Dispatch<Work<1>> + Send + 'a, msg: Work<1>) -> Travelling<'a> {
    Box::pin(async move { handle.execute(msg).await })
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread()
        .build()
        .expect("a runtime")
        .block_on(future)
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
        let (others, errands) = mpsc::channel();
        let ending = scope.spawn(move || world.end_for_others(&errands));
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
    world.close(swaps, drained);
}

impl World {
    /// Drops everything, and checks that nothing is left.
    fn close(self, swaps: usize, drained: [usize; 3]) {
        let Self {
            bus,
            registrar,
            ledger,
            begun,
            ended,
            last_is_idle: _,
        } = self;
        drop((bus, registrar));
        let begun = begun.into_inner();
        let Ledger { made, dropped } = &*ledger;
        println!("{begun} begun: {ended:?}; {swaps} swaps, {drained:?} drained, {made:?}");
        assert_eq!(ended.total(), begun, "each ends in one way");
        assert!(ended.counters().iter().all(|counter| *counter > 0));
        assert!(swaps > 0 && drained.iter().all(|drained| *drained > 0));
        assert_eq!(made.total(), dropped.total(), "made, and dropped");
    }
}

/// Rounds of each dispatcher, fewer under a sanitizer, which makes each several times as slow.
const SHORT: usize = if cfg!(arcbus_asan) { 20_000 } else { 100_000 };
const LONG: usize = 6_000_000;

#[test]
fn no_value_is_lost_or_kept() {
    stress(SHORT);
}

#[test]
#[ignore = "millions of dispatches: run in release"]
fn no_value_is_lost_or_kept_in_a_long_run() {
    let rounds = std::env::var("ARCBUS_STRESS_ROUNDS").ok();
    let rounds = rounds.map(|rounds| rounds.parse().expect("a number"));
    stress(rounds.unwrap_or(LONG));
}
