//! After a thread has warmed up, a dispatch neither allocates nor frees. This holds for any handle
//! and lane, also during swaps of handlers and for a dispatch that waits.

use std::hint::black_box;
use std::pin::{Pin, pin};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Barrier, Mutex, MutexGuard, OnceLock, PoisonError, mpsc};
use std::task::{Context as Task, Poll, Waker};
use std::thread;
use std::time::Duration;

use crate::counting::{Count, NOTHING, count, count_bytes};
use arcbus::{
    BusBuilder, CancelToken, Context, Dispatch, Error, Gate, Gated, Handler, Layers, Message,
    Middleware, Next, NoLayers, Outcome, Query, QueryBus, Stack, static_bus,
};

const WARM_UP: usize = 50;
const ROUNDS: usize = 1000;
/// A time far enough away to be never reached.
const LATER: Duration = Duration::from_secs(3600);

/// Keeps the other tests of this file away, because threads share their surplus blocks.
fn alone() -> MutexGuard<'static, ()> {
    static ALONE: Mutex<()> = Mutex::new(());
    ALONE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the cost of `work` after some warm-up runs.
fn steady(mut work: impl FnMut()) -> Count {
    (0..WARM_UP).for_each(|_| work());
    count(|| (0..ROUNDS).for_each(|_| work()))
}

fn poll<T>(future: Pin<&mut impl Future<Output = T>>) -> Poll<T> {
    future.poll(&mut Task::from_waker(Waker::noop()))
}

fn ready<T>(future: impl Future<Output = T>) -> T {
    match poll(pin!(future)) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler is ready at once"),
    }
}

struct Double(u64);

impl Message for Double {
    const NAME: &'static str = "double";
    type Kind = Query;
    type Reply = u64;
    type Error = String;
}

struct Doubler;

impl Handler<Double> for Doubler {
    async fn handle(&self, msg: Double, _cx: &Context<'_>) -> Result<u64, String> {
        Ok(msg.0 * 2)
    }
}

/// Makes two nested [`Double`] dispatches in its own context, one in each lane.
struct Quadruple(u64);

impl Message for Quadruple {
    const NAME: &'static str = "quadruple";
    type Kind = Query;
    type Reply = u64;
    type Error = String;
}

#[derive(Clone, Default)]
struct Nesting(Arc<OnceLock<QueryBus>>);

impl Handler<Quadruple> for Nesting {
    async fn handle(&self, msg: Quadruple, cx: &Context<'_>) -> Result<u64, String> {
        let bus = self.0.get().ok_or("no bus")?;
        let twice = bus
            .execute_in(cx, Double(msg.0))
            .await
            .map_err(|error| error.to_string())?;
        bus.execute_blocking_in(cx, Double(twice))
            .map_err(|error| error.to_string())
    }
}

#[derive(Clone)]
struct Passing;

impl<M: Message> Gate<M> for Passing {
    type Pass<'a> = u64;

    fn enter(&self, _msg: &M, cx: &Context<'_>) -> Result<u64, Error<M::Error>> {
        Ok(u64::from(cx.attempt()))
    }

    fn leave(&self, pass: u64, _outcome: &Outcome<M>, _cx: &Context<'_>) {
        assert_eq!(pass, 1);
    }
}

#[derive(Clone)]
struct Through;

impl<M: Message> Middleware<M> for Through {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, cx).await
    }
}

fn bus_of<S: Stack<Double> + Stack<Quadruple>>(builder: BusBuilder<Query, S>) -> QueryBus {
    let nesting = Nesting::default();
    let bus = builder
        .register::<Double, _>(Doubler)
        .register::<Quadruple, _>(nesting.clone())
        .build()
        .expect("names are unique");
    nesting.0.set(bus.clone()).expect("set once");
    bus
}

/// Dispatches on `bus` in every way, in both lanes, without and with a context.
fn dispatch_all_ways(bus: &mut impl Dispatch<Double>) {
    let limited = || Context::new().timeout(LATER);
    assert_eq!(bus.execute_blocking(Double(1)), Ok(2));
    assert_eq!(bus.execute_blocking_with(Double(2), limited()), Ok(4));
    assert_eq!(ready(bus.execute(Double(3))), Ok(6));
    assert_eq!(ready(bus.execute_with(Double(4), limited())), Ok(8));
    let outer = limited();
    assert_eq!(bus.execute_blocking_in(&outer, Double(5)), Ok(10));
    assert_eq!(ready(bus.execute_in(&outer, Double(6))), Ok(12));
}

fn assert_quiet(handle: &str, mut bus: impl Dispatch<Double>) {
    let cost = steady(|| dispatch_all_ways(&mut bus));
    assert_eq!(cost, NOTHING, "{handle}");
}

fn assert_quiet_handles(stack: &str, bus: &QueryBus) {
    assert_quiet(&format!("{stack}: Bus"), bus);
    assert_quiet(&format!("{stack}: LocalBus"), bus.local());
    let route = bus.route::<Double>().expect("registered");
    assert_quiet(&format!("{stack}: Route"), route);
    let nested = steady(|| {
        let cx = Context::new().timeout(LATER);
        assert_eq!(bus.execute_blocking(Quadruple(1)), Ok(4));
        assert_eq!(ready(bus.execute_with(Quadruple(2), cx)), Ok(8));
    });
    assert_eq!(nested, NOTHING, "{stack}: nested");
}

#[test]
fn a_bus_of_one_handler_is_small() {
    let _alone = alone();
    /// Bytes that a bus of go-cqrs with one handler takes.
    const AT_MOST: u64 = 2456;
    let build = || {
        let bus = QueryBus::builder().register::<Double, _>(Doubler).build();
        bus.expect("one handler")
    };
    // The first build allocates the memory that the process and the thread share.
    drop(build());
    let mut bus = None;
    let cost = count_bytes(|| bus = Some(build()));
    println!("a bus of one handler: {cost:?}");
    assert!(cost.allocated - cost.freed <= AT_MOST, "{cost:?}");
    assert!(cost.allocated <= AT_MOST, "while it is built: {cost:?}");
    let rest = count_bytes(|| drop(bus));
    assert_eq!(cost.allocated, cost.freed + rest.freed, "nothing is left");
}

static_bus! {
    struct Fixed: Query {
        double: Double => Doubler,
    }
}

#[test]
fn the_counter_counts_both_ways() {
    let _alone = alone();
    let one = Count {
        allocated: 1,
        freed: 1,
    };
    assert_eq!(count(|| drop(black_box(Box::new(1_u64)))), one);
    let kept = count(|| std::mem::forget(black_box(Box::new(1_u64))));
    assert_eq!((kept.allocated, kept.freed), (1, 0));
    let grown = count(|| {
        let mut words = black_box(Vec::<u64>::with_capacity(1));
        words.extend([1, 2, 3]);
        drop(black_box(words));
    });
    assert_eq!((grown.allocated, grown.freed), (2, 2));
    assert_eq!(count(|| ()), NOTHING);
}

#[test]
fn an_allocation_in_a_handler_is_counted() {
    let _alone = alone();
    let bus = QueryBus::builder()
        .register(arcbus::from_fn(|msg: Double, _cx: &Context<'_>| {
            Ok(*black_box(Box::new(msg.0)))
        }))
        .build()
        .expect("one handler");
    let cost = steady(|| drop(bus.execute_blocking(Double(1))));
    let rounds = ROUNDS as u64;
    assert_eq!((cost.allocated, cost.freed), (rounds, rounds));
}

#[test]
fn no_handle_allocates_or_frees() {
    let _alone = alone();
    assert_quiet_handles("no layers", &bus_of(QueryBus::builder()));
}

#[test]
fn no_layer_makes_a_dispatch_allocate_or_free() {
    let _alone = alone();
    let gates = QueryBus::builder()
        .wrap(Gated(Passing))
        .wrap(Gated(Passing));
    assert_quiet_handles("gates", &bus_of(gates));
    let middlewares = QueryBus::builder().wrap(Through).wrap(Through);
    assert_quiet_handles("async middlewares", &bus_of(middlewares));
    let absent = QueryBus::builder()
        .wrap(None::<Through>)
        .wrap(None::<Gated<Passing>>)
        .wrap(Gated(None::<Passing>));
    assert_quiet_handles("absent layers", &bus_of(absent));
    let mixed = QueryBus::builder()
        .wrap(Gated(Passing))
        .wrap(None::<Through>)
        .wrap(Some(Through))
        .wrap(Gated(Some(Passing)));
    assert_quiet_handles("mixed layers", &bus_of(mixed));
}

#[test]
fn a_static_bus_does_not_allocate_or_free() {
    let _alone = alone();
    assert_quiet("static_bus", Fixed::new(Doubler));
    let layers = Layers::<NoLayers>::new()
        .wrap(Gated(Passing))
        .wrap(Through)
        .wrap(None::<Through>);
    assert_quiet(
        "static_bus with layers",
        Fixed::with_layers(&layers, Doubler),
    );
}

#[test]
fn readers_do_not_allocate_or_free_while_handlers_are_swapped() {
    let _alone = alone();
    /// Least number of turns of the writer, and of each reader in the meantime.
    const TURNS: usize = 1000;
    let (bus, registrar) = QueryBus::builder()
        .wrap(Gated(Passing))
        .register::<Double, _>(Doubler)
        .open()
        .expect("one handler");
    let warm = Barrier::new(3);
    let swapping = AtomicBool::new(true);
    let turns = [const { AtomicUsize::new(0) }; 2];
    let read = |turns: &AtomicUsize| {
        let (mut local, mut shared) = (bus.local(), &bus);
        let mut route = bus.route::<Double>().expect("registered");
        let mut round = || {
            dispatch_all_ways(&mut shared);
            dispatch_all_ways(&mut local);
            dispatch_all_ways(&mut route);
        };
        (0..WARM_UP).for_each(|_| round());
        warm.wait();
        let cost = count(|| {
            while swapping.load(Ordering::Acquire) {
                round();
                turns.fetch_add(1, Ordering::Relaxed);
            }
        });
        assert_eq!(cost, NOTHING, "in {turns:?} rounds");
    };
    thread::scope(|scope| {
        let readers = turns.each_ref().map(|turns| scope.spawn(|| read(turns)));
        warm.wait();
        let mut swaps = 0;
        while swaps < TURNS
            || turns
                .iter()
                .any(|turns| turns.load(Ordering::Relaxed) < TURNS)
                && !readers.iter().any(|reader| reader.is_finished())
        {
            drop(registrar.replace::<Double, _>(Doubler).expect("registered"));
            swaps += 1;
        }
        swapping.store(false, Ordering::Release);
    });
}

/// Waits once, with `BYTES` bytes kept in the future of the handler.
struct Wait<const BYTES: usize>;

impl<const BYTES: usize> Message for Wait<BYTES> {
    const NAME: &'static str = "wait";
    type Kind = Query;
    type Reply = usize;
    type Error = String;
}

struct Waiter;

struct Waiting<const BYTES: usize> {
    kept: [u8; BYTES],
    waited: bool,
}

impl<const BYTES: usize> Future for Waiting<BYTES> {
    type Output = Result<usize, String>;

    fn poll(mut self: Pin<&mut Self>, _task: &mut Task<'_>) -> Poll<Self::Output> {
        if !std::mem::replace(&mut self.waited, true) {
            return Poll::Pending;
        }
        Poll::Ready(Ok(self.kept.iter().map(|byte| usize::from(*byte)).sum()))
    }
}

impl<const BYTES: usize> Handler<Wait<BYTES>> for Waiter {
    fn handle(
        &self,
        _msg: Wait<BYTES>,
        _cx: &Context<'_>,
    ) -> impl Future<Output = Result<usize, String>> + Send {
        Waiting {
            kept: [1; BYTES],
            waited: false,
        }
    }
}

fn waiting_bus<const BYTES: usize>() -> QueryBus {
    QueryBus::builder()
        .register::<Wait<BYTES>, _>(Waiter)
        .build()
        .expect("one handler")
}

/// Returns the cost of pending dispatches that are finished or dropped on the thread of their first
/// poll.
fn pending<const BYTES: usize>(mut bus: impl Dispatch<Wait<BYTES>>) -> Count {
    steady(|| {
        {
            let mut finished = pin!(bus.execute(Wait::<BYTES>));
            assert!(poll(finished.as_mut()).is_pending());
            assert_eq!(poll(finished), Poll::Ready(Ok(BYTES)));
        }
        assert!(poll(pin!(bus.execute(Wait::<BYTES>))).is_pending());
    })
}

fn assert_pending_is_quiet<const BYTES: usize>() {
    let bus = waiting_bus::<BYTES>();
    assert_eq!(pending::<BYTES>(&bus), NOTHING, "Bus, {BYTES} bytes");
    assert_eq!(
        pending::<BYTES>(bus.local()),
        NOTHING,
        "LocalBus, {BYTES} bytes"
    );
    let route = bus.route::<Wait<BYTES>>().expect("registered");
    assert_eq!(pending::<BYTES>(route), NOTHING, "Route, {BYTES} bytes");
}

#[test]
fn a_pending_dispatch_reuses_its_block() {
    let _alone = alone();
    assert_pending_is_quiet::<8>();
    assert_pending_is_quiet::<700>();
    assert_pending_is_quiet::<3600>();
}

#[test]
fn a_dispatch_larger_than_the_largest_block_is_allocated_each_time() {
    let _alone = alone();
    let cost = pending::<5000>(&waiting_bus::<5000>());
    let dispatches = 2 * ROUNDS as u64;
    assert_eq!((cost.allocated, cost.freed), (dispatches, dispatches));
}

/// Starts dispatches here and ends them on another thread. Returns the cost of each thread after
/// the warm-up.
fn cross<const BYTES: usize>(finish: bool) -> (Count, Count) {
    fn add(total: &mut Count, cost: Count) {
        total.allocated += cost.allocated;
        total.freed += cost.freed;
    }
    let bus = &waiting_bus::<BYTES>();
    let (mut begun, mut ended) = (NOTHING, NOTHING);
    thread::scope(|scope| {
        let (hand_over, take_over) = mpsc::sync_channel(1);
        // The bound of one lets few dispatches wait at once, which bounds the number of blocks.
        let (report, reported) = mpsc::sync_channel(1);
        let ending = scope.spawn(move || {
            for (index, mut future) in take_over.into_iter().enumerate() {
                let cost = count(|| {
                    if finish {
                        assert_eq!(poll(Pin::new(&mut future)), Poll::Ready(Ok(BYTES)));
                    }
                    drop(future);
                });
                if index >= WARM_UP {
                    add(&mut ended, cost);
                }
                report.send(()).expect("waited for");
            }
            ended
        });
        for index in 0..WARM_UP + ROUNDS {
            let mut future = None;
            let cost = count(|| {
                let future = future.insert(bus.execute(Wait::<BYTES>));
                assert!(poll(Pin::new(future)).is_pending());
            });
            if index >= WARM_UP {
                add(&mut begun, cost);
            }
            hand_over.send(future.expect("just made")).expect("taken");
            reported.recv().expect("ended");
        }
        drop(hand_over);
        (begun, ending.join().expect("the other thread"))
    })
}

fn assert_crossing_is_quiet<const BYTES: usize>() {
    for finish in [true, false] {
        let costs = cross::<BYTES>(finish);
        assert_eq!(costs, (NOTHING, NOTHING), "{BYTES} bytes, finish: {finish}");
    }
}

#[test]
fn blocks_that_cross_threads_are_reused() {
    let _alone = alone();
    assert_crossing_is_quiet::<8>();
    assert_crossing_is_quiet::<700>();
    assert_crossing_is_quiet::<3600>();
}

#[test]
fn a_threads_first_dispatch_pays_a_little_once() {
    let _alone = alone();
    /// Largest number of allocations for the thread-locals, the slots and the block of a first
    /// dispatch.
    const AT_MOST: u64 = 4;
    /// More blocks than ended threads can have left to others.
    const HOARD: usize = 200;
    let bus = &waiting_bus::<8>();
    let doubles = &bus_of(QueryBus::builder());
    let (hoarded, measured) = (Barrier::new(HOARD + 1), Barrier::new(HOARD + 1));
    let hoard = || {
        assert_eq!(doubles.execute_blocking(Double(1)), Ok(2));
        let mut waits = pin!(bus.execute(Wait::<8>));
        assert!(poll(waits.as_mut()).is_pending());
        hoarded.wait();
        measured.wait();
    };
    let first = |name: &str, work: &(dyn Fn() + Sync)| {
        let (first, second) = thread::scope(|scope| {
            let costs = scope.spawn(|| (count(work), count(work)));
            costs.join().expect("a fresh thread")
        });
        println!("first {name}: {first:?}");
        (name.to_owned(), first, second)
    };
    let costs = thread::scope(|scope| {
        let hoarders: Vec<_> = (0..HOARD).map(|_| scope.spawn(hoard)).collect();
        hoarded.wait();
        // The order matters, because each case leaves behind more memory than the cases before.
        let costs = [
            first("blocking dispatch", &|| {
                assert_eq!(doubles.execute_blocking(Double(1)), Ok(2));
            }),
            first("awaited dispatch after it", &|| {
                assert_eq!(ready(doubles.execute(Double(1))), Ok(2));
            }),
            first("pending dispatch after both", &|| {
                assert!(poll(pin!(bus.execute(Wait::<8>))).is_pending());
            }),
        ];
        measured.wait();
        // A scope does not wait for its threads' thread-locals, which pass blocks on, but a join
        // does.
        for hoarder in hoarders {
            hoarder.join().expect("a hoarder");
        }
        costs
    });
    assert!(
        costs[0].1.allocated > 0,
        "the hoard left something: {costs:?}"
    );
    for (name, first, second) in costs {
        let paid = first.allocated.max(first.freed);
        assert!(paid <= AT_MOST, "{name}: {first:?}");
        assert_eq!(second, NOTHING, "second {name}");
    }
}

/// Returns the context of the hop's dispatch, with a new value and a new token.
fn hop(bus: &QueryBus, cx: &Context<'static>, token: &CancelToken) -> Context<'static> {
    let added = cx.derive().with(7_u32).cancel_on(token.clone());
    ready(bus.execute_in(&added, Double(1))).expect("it answers");
    added.derive().detach()
}

#[test]
fn a_context_passed_on_has_a_constant_cost_at_each_hop() {
    let _alone = alone();
    let (bus, token) = (bus_of(QueryBus::builder()), CancelToken::new());
    let mut cx = Context::new().timeout(LATER).detach();
    let mut hops = |count| (0..count).for_each(|_| cx = hop(&bus, &cx, &token));
    hops(WARM_UP);
    let first = count(|| hops(ROUNDS));
    assert_eq!(first.allocated, first.freed, "nothing is kept");
    hops(ROUNDS * 20);
    assert_eq!(count(|| hops(ROUNDS)), first);
}
