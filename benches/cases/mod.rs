//! The messages, handlers, buses and hand-written floors that the benchmarks share.
#![allow(dead_code, reason = "each benchmark uses a part")]
#![allow(
    missing_debug_implementations,
    unreachable_pub,
    reason = "not a library"
)]

use std::any::{Any, TypeId};
use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hint::black_box;
use std::pin::pin;
use std::sync::{Arc, RwLock};
use std::task::{Context as Task, Poll, Waker};

use ahash::RandomState;
use arc_swap::{ArcSwap, Cache};
use arcbus::middleware::Cacheable;
use arcbus::{
    BusBuilder, Context, Error, Gate, Gated, Handler, InvalidSetting, Layer, Message, Middleware,
    Next, NoLayers, Outcome, Query, QueryBus, RouteInfo, static_bus,
};

pub mod rounds;

/// The error type of the benchmarks' handlers, which never fail.
#[derive(Clone, Debug, PartialEq)]
pub struct Refused;

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("refused")
    }
}

/// A message of two words, with a reply of a single word.
#[derive(Clone, Copy)]
pub struct Pair(pub u64, pub u64);

impl Message for Pair {
    const NAME: &'static str = "pair";
    type Kind = Query;
    type Reply = u64;
    type Error = Refused;
}

impl Cacheable for Pair {
    type Key = u64;

    fn key(&self) -> &u64 {
        &self.0
    }
}

/// A message of 64 bytes with a reply of 64 bytes.
#[derive(Clone, Copy)]
pub struct Line(pub [u64; 8]);

impl Message for Line {
    const NAME: &'static str = "line";
    type Kind = Query;
    type Reply = [u64; 8];
    type Error = Refused;
}

/// A handler with a single word of state, which it adds to the message.
#[derive(Clone)]
pub struct Adder(pub u64);

impl Adder {
    #[inline]
    pub fn add(&self, msg: Pair) -> Result<u64, Refused> {
        Ok(msg.0.wrapping_add(msg.1) ^ self.0)
    }
}

impl Handler<Pair> for Adder {
    #[inline]
    async fn handle(&self, msg: Pair, _cx: &Context<'_>) -> Result<u64, Refused> {
        self.add(msg)
    }
}

impl Handler<Line> for Adder {
    #[inline]
    async fn handle(&self, msg: Line, _cx: &Context<'_>) -> Result<[u64; 8], Refused> {
        Ok(msg.0.map(|word| word ^ self.0))
    }
}

/// A message type that only fills the registry.
pub struct Filler<const N: usize>;

struct Digits<const N: usize>;

impl<const N: usize> Digits<N> {
    const BYTES: [u8; 4] = [
        b'0' + (N / 1000 % 10) as u8,
        b'0' + (N / 100 % 10) as u8,
        b'0' + (N / 10 % 10) as u8,
        b'0' + (N % 10) as u8,
    ];
}

impl<const N: usize> Message for Filler<N> {
    const NAME: &'static str = match std::str::from_utf8(&Digits::<N>::BYTES) {
        Ok(name) => name,
        Err(_) => unreachable!(),
    };
    type Kind = Query;
    type Reply = u64;
    type Error = Refused;
}

impl<const N: usize> Handler<Filler<N>> for Adder {
    async fn handle(&self, _msg: Filler<N>, _cx: &Context<'_>) -> Result<u64, Refused> {
        Ok(self.0 ^ N as u64)
    }
}

/// Calls `$each!(N)` for ten numbers from `$base` up.
macro_rules! ten {
    ($each:ident, $base:expr) => {
        $each!({ $base });
        $each!({ $base + 1 });
        $each!({ $base + 2 });
        $each!({ $base + 3 });
        $each!({ $base + 4 });
        $each!({ $base + 5 });
        $each!({ $base + 6 });
        $each!({ $base + 7 });
        $each!({ $base + 8 });
        $each!({ $base + 9 });
    };
}

macro_rules! hundred {
    ($each:ident, $base:expr) => {
        ten!($each, $base);
        ten!($each, $base + 10);
        ten!($each, $base + 20);
        ten!($each, $base + 30);
        ten!($each, $base + 40);
        ten!($each, $base + 50);
        ten!($each, $base + 60);
        ten!($each, $base + 70);
        ten!($each, $base + 80);
        ten!($each, $base + 90);
    };
}

/// Runs `$each!(N)` for 62 numbers, which gives 64 routes with the two messages above.
macro_rules! sixty_two {
    ($each:ident) => {
        ten!($each, 0);
        ten!($each, 10);
        ten!($each, 20);
        ten!($each, 30);
        ten!($each, 40);
        ten!($each, 50);
        $each!(60);
        $each!(61);
    };
}

/// Runs `$each!(N)` for 698 numbers, which gives 700 routes with the two messages above.
macro_rules! six_hundred_ninety_eight {
    ($each:ident) => {
        hundred!($each, 0);
        hundred!($each, 100);
        hundred!($each, 200);
        hundred!($each, 300);
        hundred!($each, 400);
        hundred!($each, 500);
        ten!($each, 600);
        ten!($each, 610);
        ten!($each, 620);
        ten!($each, 630);
        ten!($each, 640);
        ten!($each, 650);
        ten!($each, 660);
        ten!($each, 670);
        ten!($each, 680);
        $each!(690);
        $each!(691);
        $each!(692);
        $each!(693);
        $each!(694);
        $each!(695);
        $each!(696);
        $each!(697);
    };
}

pub type Builder = BusBuilder<Query, NoLayers>;

/// Registers 62 handlers of filler messages.
pub fn fill_64(mut builder: Builder) -> Builder {
    macro_rules! add {
        ($n:expr) => {
            builder = builder.register::<Filler<$n>, _>(Adder(1));
        };
    }
    sixty_two!(add);
    builder
}

/// Registers 698 handlers of filler messages.
pub fn fill_700(mut builder: Builder) -> Builder {
    macro_rules! add {
        ($n:expr) => {
            builder = builder.register::<Filler<$n>, _>(Adder(1));
        };
    }
    six_hundred_ninety_eight!(add);
    builder
}

/// Registers 1,000 handlers of filler messages.
pub fn fill_1000(mut builder: Builder) -> Builder {
    macro_rules! add {
        ($n:expr) => {
            builder = builder.register::<Filler<$n>, _>(Adder(1));
        };
    }
    hundred!(add, 0);
    hundred!(add, 100);
    hundred!(add, 200);
    hundred!(add, 300);
    hundred!(add, 400);
    hundred!(add, 500);
    hundred!(add, 600);
    hundred!(add, 700);
    hundred!(add, 800);
    hundred!(add, 900);
    builder
}

/// Returns a bus with 64 routes, of which 62 belong to fillers.
pub fn bus_64() -> QueryBus {
    complete(fill_64(QueryBus::builder()))
}

/// Returns a bus with 700 routes, of which 698 belong to fillers.
pub fn bus_700() -> QueryBus {
    complete(fill_700(QueryBus::builder()))
}

fn complete(builder: Builder) -> QueryBus {
    builder
        .register::<Pair, _>(Adder(7))
        .register::<Line, _>(Adder(7))
        .build()
        .expect("names are unique")
}

/// A gate that lets every message pass, without any work.
#[derive(Clone, Copy)]
pub struct NoOp;

impl<M: Message> Gate<M> for NoOp {
    type Pass<'a> = ();

    #[inline]
    fn enter(&self, _msg: &M, _cx: &Context<'_>) -> Result<(), Error<M::Error>> {
        Ok(())
    }

    #[inline]
    fn leave(&self, (): (), _outcome: &Outcome<M>, _cx: &Context<'_>) {}
}

/// The layer of [`NoOp`], which creates a gate for each route.
#[derive(Clone, Copy)]
pub struct NoOpLayer;

impl<M: Message> Layer<M> for NoOpLayer {
    type Middleware = Gated<NoOp>;

    fn middleware(
        &self,
        _route: &RouteInfo,
        _previous: Option<&Gated<NoOp>>,
    ) -> Result<Gated<NoOp>, InvalidSetting> {
        Ok(Gated(NoOp))
    }
}

/// A middleware that only runs its inner service, as an `async fn`.
pub struct Through;

impl<M: Message> Middleware<M> for Through {
    async fn handle(&self, msg: M, cx: &Context<'_>, next: &impl Next<M>) -> Outcome<M> {
        next.run(msg, cx).await
    }
}

static_bus! {
    /// The static bus that the benchmarks share.
    pub struct Fixed: Query {
        pair: Pair => Adder,
        line: Line => Adder,
    }
}

/// Polls a future once, which must be ready at once.
#[inline(always)]
pub fn now<T>(future: impl Future<Output = T>) -> T {
    match pin!(future).poll(&mut Task::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => panic!("the handler is ready at once"),
    }
}

/// Returns a message that the compiler does not know, read from memory that was written long
/// before. The processor would stall on a message that is written word by word and at once read
/// whole.
#[inline(always)]
pub fn pair() -> Pair {
    static PAIR: Pair = Pair(1, 2);
    *black_box(&PAIR)
}

/// Returns a message of 64 bytes, which is read from memory like the message of [`pair`].
#[inline(always)]
pub fn line() -> Line {
    static LINE: Line = Line([1; 8]);
    *black_box(&LINE)
}

/// Takes the reply out of the result at once, as a caller's `?` does. A result that is moved as a
/// whole is read in wider words than it was just written in, on which the processor stalls.
#[inline(always)]
pub fn answered<T, E: fmt::Debug>(result: Result<T, E>) -> T {
    result.expect("the handlers of the benchmarks do not fail")
}

/// The least interface of a handler, called by a virtual call without a future.
pub trait Answer: Send + Sync {
    fn answer(&self, msg: Pair) -> Result<u64, Refused>;
}

impl Answer for Adder {
    fn answer(&self, msg: Pair) -> Result<u64, Refused> {
        self.add(msg)
    }
}

/// The table of the floors, written by hand with the hasher, map and keys of the registry.
pub type FloorTable = HashMap<TypeId, Arc<dyn Answer>, RandomState>;

pub fn floor_table() -> FloorTable {
    let mut table = FloorTable::with_capacity_and_hasher(64, RandomState::new());
    macro_rules! add {
        ($n:expr) => {
            table.insert(TypeId::of::<Filler<$n>>(), Arc::new(Adder(1)));
        };
    }
    sixty_two!(add);
    table.insert(TypeId::of::<Pair>(), Arc::new(Adder(7)));
    table.insert(TypeId::of::<Line>(), Arc::new(Adder(7)));
    table
}

/// The floor of the shared handle: an `ArcSwap` load, a lookup and a virtual call.
pub struct FloorShared(pub Arc<ArcSwap<FloorTable>>);

impl FloorShared {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(floor_table())))
    }

    #[inline(always)]
    pub fn call(&self, msg: Pair) -> Result<u64, Refused> {
        let table = self.0.load();
        match table.get(&TypeId::of::<Pair>()) {
            Some(answer) => answer.answer(msg),
            None => Err(Refused),
        }
    }
}

/// The floor of the local handle: an `arc_swap::Cache` load, a lookup and a virtual call.
pub struct FloorLocal(Cache<Arc<ArcSwap<FloorTable>>, Arc<FloorTable>>);

impl FloorLocal {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        Self(Cache::new(FloorShared::new().0))
    }

    #[inline(always)]
    pub fn call(&mut self, msg: Pair) -> Result<u64, Refused> {
        match self.0.load().get(&TypeId::of::<Pair>()) {
            Some(answer) => answer.answer(msg),
            None => Err(Refused),
        }
    }
}

type Boxed = Box<dyn Any + Send>;
type Callback = Arc<dyn Fn(Boxed) -> Result<Boxed, String> + Send + Sync>;

/// The architecture of go-cqrs in Rust: a lock, a map by name, and `Any` both ways.
pub struct RwLockStringMap(RwLock<HashMap<String, Callback>>);

impl RwLockStringMap {
    #[allow(clippy::new_without_default)]
    pub fn new() -> Self {
        let mut map: HashMap<String, Callback> = HashMap::new();
        for index in 0..63 {
            map.insert(format!("filler.{index}"), Arc::new(Ok));
        }
        let adder = Adder(7);
        map.insert(
            "pair".into(),
            Arc::new(move |msg| {
                let msg = msg
                    .downcast::<Pair>()
                    .map_err(|_| "wrong message".to_owned())?;
                let reply = adder.add(*msg).map_err(|error| error.to_string())?;
                Ok(Box::new(reply) as Boxed)
            }),
        );
        Self(RwLock::new(map))
    }

    pub fn call(&self, msg: Pair) -> Result<u64, String> {
        let handler = {
            let map = self.0.read().map_err(|_| "poisoned".to_owned())?;
            map.get(black_box("pair"))
                .cloned()
                .ok_or("handler not found")?
        };
        let reply = handler(Box::new(msg))?;
        reply
            .downcast()
            .map(|reply| *reply)
            .map_err(|_| "wrong reply".to_owned())
    }
}
