//! Dispatches through one handle, for an instruction counter: `instructions CASE COUNT`.
//!
//! The script `.ci/instructions.sh` runs every case under callgrind, and compares the instructions
//! of a dispatch with the committed counts. Without arguments, the program prints the names of the
//! cases.

use std::hint::black_box;
use std::time::Duration;

use arcbus::metrics::Metrics;
use arcbus::middleware::{AdaptiveLimit, Bulkhead, Cache, CircuitBreaker, Fallback, Retry};
use arcbus::{BusBuilder, Query, QueryBus, Route, Stack};

mod cases;
use cases::{
    Adder, Answer, Fixed, FloorLocal, FloorShared, NoOpLayer, Pair, bus_64, line, now, pair,
};

const CASES: [&str; 23] = [
    "direct_call",
    "dyn_call",
    "static_bus",
    "route",
    "floor_local",
    "local",
    "floor_shared",
    "shared",
    "shared_await",
    "shared_64",
    "shared_await_64",
    "gates_0",
    "gates_5",
    "gates_off_5",
    "gates_5_await",
    "bulkhead",
    "bulkhead_await",
    "breaker",
    "metrics",
    "adaptive_limit",
    "retry",
    "fallback",
    "cache_hit",
];

/// The function whose instructions are counted, from entry to return. The counter finds it by its
/// name.
#[inline(never)]
fn measured<T>(count: u64, mut dispatch: impl FnMut() -> T) {
    for _ in 0..count {
        let _ = black_box(dispatch());
    }
}

/// Runs `count` dispatches after a first one, which is not counted because it creates the thread's
/// slots.
fn count<T>(count: u64, mut dispatch: impl FnMut() -> T) {
    drop(black_box(dispatch()));
    measured(count, dispatch);
}

fn layered(layers: [Option<NoOpLayer>; 5]) -> Route<Pair> {
    let [a, b, c, d, e] = layers;
    route_of(
        QueryBus::builder()
            .layer(a)
            .layer(b)
            .layer(c)
            .layer(d)
            .layer(e),
    )
}

fn route_of<S: Stack<Pair>>(builder: BusBuilder<Query, S>) -> Route<Pair> {
    let bus = builder
        .register::<Pair, _>(Adder(7))
        .build()
        .expect("one name");
    bus.route().expect("registered")
}

fn run(case: &str, n: u64) {
    let bus = bus_64();
    let mut route = bus.route::<Pair>().expect("registered");
    let mut local = bus.local();
    match case {
        "direct_call" => {
            let adder = black_box(Adder(7));
            count(n, || adder.add(pair()));
        }
        "dyn_call" => {
            let answer: Box<dyn Answer> = black_box(Box::new(Adder(7)));
            count(n, || answer.answer(pair()));
        }
        "static_bus" => {
            let fixed = black_box(Fixed::new(Adder(7), Adder(7)));
            count(n, || fixed.execute_blocking(pair()));
        }
        "route" => count(n, || route.execute_blocking(pair())),
        "floor_local" => {
            let mut floor = FloorLocal::new();
            count(n, || floor.call(pair()));
        }
        "local" => count(n, || local.execute_blocking(pair())),
        "floor_shared" => {
            let floor = FloorShared::new();
            count(n, || floor.call(pair()));
        }
        "shared" => count(n, || bus.execute_blocking(pair())),
        "shared_await" => count(n, || now(bus.execute(pair()))),
        "shared_64" => count(n, || bus.execute_blocking(line())),
        "shared_await_64" => count(n, || now(bus.execute(line()))),
        "gates_0" => {
            let mut route = route_of(QueryBus::builder());
            count(n, || route.execute_blocking(pair()));
        }
        "gates_5" => {
            let mut route = layered(black_box([Some(NoOpLayer); 5]));
            count(n, || route.execute_blocking(pair()));
        }
        "gates_off_5" => {
            let mut route = layered(black_box([None; 5]));
            count(n, || route.execute_blocking(pair()));
        }
        "gates_5_await" => {
            let mut route = layered(black_box([Some(NoOpLayer); 5]));
            count(n, || now(route.execute(pair())));
        }
        "bulkhead" => {
            let mut route = route_of(QueryBus::builder().layer(Bulkhead::new(4)));
            count(n, || route.execute_blocking(pair()));
        }
        "bulkhead_await" => {
            let mut route = route_of(QueryBus::builder().layer(Bulkhead::new(4)));
            count(n, || now(route.execute(pair())));
        }
        "breaker" => {
            let breaker = CircuitBreaker::consecutive(5);
            let mut route = route_of(QueryBus::builder().layer(breaker));
            count(n, || route.execute_blocking(pair()));
        }
        "metrics" => {
            let metrics = Metrics::new();
            let mut route = route_of(QueryBus::builder().layer(metrics.layer()));
            count(n, || route.execute_blocking(pair()));
        }
        "adaptive_limit" => {
            let limit = AdaptiveLimit::vegas();
            let mut route = route_of(QueryBus::builder().layer(limit));
            count(n, || route.execute_blocking(pair()));
        }
        "retry" => {
            let retry = Retry::exponential(3, Duration::from_millis(50));
            let mut route = route_of(QueryBus::builder().layer(retry));
            count(n, || route.execute_blocking(pair()));
        }
        "fallback" => {
            let mut route = route_of(QueryBus::builder().layer(Fallback::value(7)));
            count(n, || route.execute_blocking(pair()));
        }
        "cache_hit" => {
            let cache = Cache::ttl(Duration::from_secs(3600));
            let mut route = route_of(QueryBus::builder().layer(cache));
            count(n, || route.execute_blocking(pair()));
        }
        other => panic!("no case '{other}': the cases are {CASES:?}"),
    }
}

fn main() {
    let mut arguments = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench");
    match (arguments.next(), arguments.next()) {
        (Some(case), Some(count)) => run(&case, count.parse().expect("a count of dispatches")),
        _ => println!("{}", CASES.join("\n")),
    }
}
