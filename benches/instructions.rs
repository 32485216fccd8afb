//! Dispatches through one handle, for an instruction counter: `instructions CASE COUNT`.
//!
//! `.ci/instructions.sh` runs every case under callgrind and compares the counts a dispatch with the
//! committed ones. Without arguments it names the cases.

use std::hint::black_box;

use arcbus::{QueryBus, Route};

mod cases;
use cases::{Adder, Answer, Fixed, FloorLocal, FloorShared, Line, NoOpLayer, Pair, bus_64, now};

const CASES: [&str; 14] = [
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
];

/// Counted from entry to return; the counter finds it by its name.
#[inline(never)]
fn measured<T>(count: u64, mut dispatch: impl FnMut() -> T) {
    for _ in 0..count {
        let _ = black_box(dispatch());
    }
}

/// The first dispatch makes the thread's slots, so it is not counted.
fn count<T>(count: u64, mut dispatch: impl FnMut() -> T) {
    drop(black_box(dispatch()));
    measured(count, dispatch);
}

fn layered(layers: [Option<NoOpLayer>; 5]) -> Route<Pair> {
    let [a, b, c, d, e] = layers;
    let builder = QueryBus::builder()
        .layer(a)
        .layer(b)
        .layer(c)
        .layer(d)
        .layer(e);
    let bus = builder
        .register::<Pair, _>(Adder(7))
        .build()
        .expect("one name");
    bus.route().expect("registered")
}

fn run(case: &str, n: u64) {
    let msg = || black_box(Pair(1, 2));
    let line = || black_box(Line([1; 8]));
    let bus = bus_64();
    let mut route = bus.route::<Pair>().expect("registered");
    let mut local = bus.local();
    match case {
        "direct_call" => {
            let adder = black_box(Adder(7));
            count(n, || adder.add(msg()));
        }
        "dyn_call" => {
            let answer: Box<dyn Answer> = black_box(Box::new(Adder(7)));
            count(n, || answer.answer(msg()));
        }
        "static_bus" => {
            let fixed = black_box(Fixed::new(Adder(7), Adder(7)));
            count(n, || fixed.execute_blocking(msg()));
        }
        "route" => count(n, || route.execute_blocking(msg())),
        "floor_local" => {
            let mut floor = FloorLocal::new();
            count(n, || floor.call(msg()));
        }
        "local" => count(n, || local.execute_blocking(msg())),
        "floor_shared" => {
            let floor = FloorShared::new();
            count(n, || floor.call(msg()));
        }
        "shared" => count(n, || bus.execute_blocking(msg())),
        "shared_await" => count(n, || now(bus.execute(msg()))),
        "shared_64" => count(n, || bus.execute_blocking(line())),
        "shared_await_64" => count(n, || now(bus.execute(line()))),
        "gates_0" => {
            let bus = QueryBus::builder()
                .register::<Pair, _>(Adder(7))
                .build()
                .expect("one name");
            let mut route = bus.route::<Pair>().expect("registered");
            count(n, || route.execute_blocking(msg()));
        }
        "gates_5" => {
            let mut route = layered(black_box([Some(NoOpLayer); 5]));
            count(n, || route.execute_blocking(msg()));
        }
        "gates_off_5" => {
            let mut route = layered(black_box([None; 5]));
            count(n, || route.execute_blocking(msg()));
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
