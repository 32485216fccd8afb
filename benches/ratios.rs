//! Prints the required figures of arcbus, as ratios in one run:
//! `cargo bench -p arcbus-benches --bench ratios`.
//!
//! The last column contains the required bound.

use std::hint::black_box;
use std::thread;

use arcbus::{QueryBus, Route};

mod cases;
use cases::rounds::Cases;
use cases::{
    Adder, Answer, Fixed, FloorLocal, FloorShared, NoOpLayer, Pair, RwLockStringMap, Through,
    answered, bus_64, bus_700, fill_1000, line, now, pair,
};

/// Multiple of the calls of other cases, so that the start of a thread does not count.
const THREAD_RUNS: u64 = 20;

/// Returns a route with five times `$layer`, added by `$method`.
macro_rules! five {
    ($method:ident($layer:expr)) => {{
        let builder = QueryBus::builder().$method($layer).$method($layer);
        let builder = builder.$method($layer).$method($layer).$method($layer);
        route(builder.register::<Pair, _>(Adder(7)).build().expect("one"))
    }};
}

fn route(bus: QueryBus) -> Route<Pair> {
    bus.route().expect("registered")
}

/// Runs many dispatches on each of `threads` concurrent threads.
fn run_on(threads: usize, bus: &QueryBus, calls: u64) {
    let run = || {
        for _ in 0..calls * THREAD_RUNS {
            black_box(answered(bus.execute_blocking(pair())));
        }
    };
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(run))));
}

/// Prints the cost of each of five layers, in nanoseconds.
fn print_layer(cases: &Cases<'_>, with: &str, asked: &str) {
    let title = format!("({with} - gates_0) / 5");
    cases.print(&title, [with, "gates_0"], asked, |[with, without]| {
        (with - without) / 5.0
    });
}

fn main() {
    let (bus, large) = (bus_64(), bus_700());
    let adder = black_box(Adder(7));
    let dynamic: Box<dyn Answer> = black_box(Box::new(Adder(7)));
    let fixed = black_box(Fixed::new(Adder(7), Adder(7)));
    let (mut floor_local, floor_shared) = (FloorLocal::new(), FloorShared::new());
    let (mut local, mut local_700) = (bus.local(), large.local());
    let mut routed = route(bus.clone());
    let plain = QueryBus::builder().register::<Pair, _>(Adder(7));
    let mut gates_0 = route(plain.build().expect("one"));
    let mut gates_5 = five!(layer(NoOpLayer));
    let mut gates_off_5 = five!(layer(black_box(None::<NoOpLayer>)));
    let mut middleware_5 = five!(wrap(Through));
    let map = RwLockStringMap::new();

    let mut cases = Cases::default();
    cases.add("direct_call", || answered(adder.add(pair())));
    cases.add("dyn_call", || answered(dynamic.answer(pair())));
    cases.add("static_bus", || answered(fixed.execute_blocking(pair())));
    cases.add("route", || answered(routed.execute_blocking(pair())));
    cases.add("floor_local", || answered(floor_local.call(pair())));
    cases.add("local", || answered(local.execute_blocking(pair())));
    cases.add("local_700", || answered(local_700.execute_blocking(pair())));
    cases.add("floor_shared", || answered(floor_shared.call(pair())));
    cases.add("shared", || answered(bus.execute_blocking(pair())));
    cases.add("shared_700", || answered(large.execute_blocking(pair())));
    cases.add("shared_await", || answered(now(bus.execute(pair()))));
    cases.add("shared_64", || answered(bus.execute_blocking(line())));
    cases.add("shared_await_64", || answered(now(bus.execute(line()))));
    cases.add("rwlock_string_map", || answered(map.call(pair())));
    cases.add("gates_0", || answered(gates_0.execute_blocking(pair())));
    cases.add("gates_5", || answered(gates_5.execute_blocking(pair())));
    cases.add("gates_off_5", || {
        answered(gates_off_5.execute_blocking(pair()))
    });
    cases.add("middleware_5", || {
        answered(middleware_5.execute_blocking(pair()))
    });
    cases.add_run("one_thread", |calls| run_on(1, &bus, calls));
    cases.add_run("two_threads", |calls| run_on(2, &bus, calls));
    cases.measure();

    cases.print_ratio("shared", "floor_shared", "<= 1.2");
    cases.print_ratio("local", "floor_local", "<= 1.2");
    cases.print_ratio("route", "dyn_call", "<= 2");
    cases.print_ratio("shared_await", "shared", "<= 1.4");
    cases.print_ratio("shared_await_64", "shared_64", "<= 1.8");
    cases.print_ratio("rwlock_string_map", "shared", ">= 5");
    cases.print_ratio("shared_700", "shared", "<= 1.1");
    cases.print_ratio("local_700", "local", "<= 1.1");
    let threads = ["two_threads", "one_thread"];
    cases.print(
        "2 x one_thread / two_threads",
        threads,
        ">= 1.9",
        |[two, one]| 2.0 * one / two,
    );
    print_layer(&cases, "gates_5", "<= 1 ns");
    print_layer(&cases, "gates_off_5", "<= 1 ns");
    print_layer(&cases, "middleware_5", "ns");
    println!("{:42} {:6.2}", "bulk_1000, ns a handler", bulk_1000());
}

/// Returns the least nanoseconds of a handler when 1,000 handlers are registered at once.
fn bulk_1000() -> f64 {
    const ROUNDS: usize = 60;
    let time = || {
        let start = std::time::Instant::now();
        let bus = fill_1000(QueryBus::builder().capacity(1000)).build();
        let nanos = start.elapsed().as_nanos() as f64;
        drop(bus.expect("names are unique"));
        nanos / 1000.0
    };
    (0..ROUNDS).map(|_| time()).fold(f64::MAX, f64::min)
}
