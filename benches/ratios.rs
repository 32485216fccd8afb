//! The figures that arcbus asks of itself, as ratios in one run: `cargo bench --bench ratios`.
//!
//! All cases take turns, round after round, so that a machine that slows down slows all of them. A
//! ratio is given twice: the median over the rounds, and that of the least times, which is what a
//! machine without neighbours would show. The last column is what was asked.

use std::hint::black_box;
use std::thread;
use std::time::Instant;

use arcbus::{QueryBus, Route};

mod cases;
use cases::{
    Adder, Answer, Fixed, FloorLocal, FloorShared, NoOpLayer, Pair, RwLockStringMap, Through,
    answered, bus_64, bus_700, fill_1000, line, now, pair,
};

const ROUNDS: usize = 60;
const DISPATCHES: u32 = 50_000;
/// So many times that, where starting a thread must not count.
const THREAD_RUNS: usize = 20;

/// A case of the benchmark: a name, and a run of many dispatches.
struct Case<'a> {
    name: &'static str,
    run: Box<dyn FnMut() + 'a>,
    /// Nanoseconds a dispatch, by round.
    times: Vec<f64>,
}

#[derive(Default)]
struct Cases<'a>(Vec<Case<'a>>);

impl<'a> Cases<'a> {
    /// A case that is timed over [`DISPATCHES`] calls of `call`.
    fn add<T>(&mut self, name: &'static str, mut call: impl FnMut() -> T + 'a) {
        self.add_run(name, move || {
            for _ in 0..DISPATCHES {
                black_box(call());
            }
        });
    }

    /// A case whose `run` does the work of [`DISPATCHES`] calls at once.
    fn add_run(&mut self, name: &'static str, run: impl FnMut() + 'a) {
        self.0.push(Case {
            name,
            run: Box::new(run),
            times: Vec::with_capacity(ROUNDS),
        });
    }

    fn measure(&mut self) {
        for _ in 0..ROUNDS {
            for case in &mut self.0 {
                let start = Instant::now();
                (case.run)();
                let nanos = start.elapsed().as_nanos() as f64;
                case.times.push(nanos / f64::from(DISPATCHES));
            }
        }
    }

    fn times(&self, name: &str) -> &[f64] {
        let case = self.0.iter().find(|case| case.name == name);
        &case.expect("a case of this benchmark").times
    }

    fn least(&self, name: &str) -> f64 {
        self.times(name).iter().copied().fold(f64::MAX, f64::min)
    }

    /// The median of `of(a, b)` over the rounds.
    fn median(&self, a: &str, b: &str, of: impl Fn(f64, f64) -> f64) -> f64 {
        let pairs = self.times(a).iter().zip(self.times(b));
        let mut all: Vec<_> = pairs.map(|(a, b)| of(*a, *b)).collect();
        all.sort_by(f64::total_cmp);
        all[all.len() / 2]
    }

    fn print(&self, name: String, a: &str, b: &str, asked: &str, of: impl Fn(f64, f64) -> f64) {
        let median = self.median(a, b, &of);
        let least = of(self.least(a), self.least(b));
        println!("{name:42} {median:6.2} {least:6.2}   {asked}");
    }

    fn print_ratio(&self, a: &str, b: &str, asked: &str) {
        self.print(format!("{a} / {b}"), a, b, asked, |a, b| a / b);
    }

    /// How much more two threads do than one.
    fn print_scaling(&self, two: &str, one: &str, asked: &str) {
        self.print(format!("2 x {one} / {two}"), one, two, asked, |one, two| {
            2.0 * one / two
        });
    }

    /// What each of five layers costs, in nanoseconds.
    fn print_layer(&self, with: &str, without: &str, asked: &str) {
        let name = format!("({with} - {without}) / 5");
        self.print(name, with, without, asked, |with, without| {
            (with - without) / 5.0
        });
    }
}

/// A route with five times `$layer`, added by `$method`.
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

fn run_shared(bus: &QueryBus) {
    for _ in 0..DISPATCHES {
        black_box(answered(bus.execute_blocking(pair())));
    }
}

/// Many dispatches on each of `threads` threads at once.
fn run_on(threads: usize, bus: &QueryBus) {
    let run = || (0..THREAD_RUNS).for_each(|_| run_shared(bus));
    thread::scope(|scope| (0..threads).for_each(|_| drop(scope.spawn(run))));
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
    cases.add_run("one_thread", || run_on(1, &bus));
    cases.add_run("two_threads", || run_on(2, &bus));
    cases.measure();

    println!("{:42} {:>6}", "ns a dispatch", "least");
    for case in &cases.0 {
        println!("{:42} {:6.2}", case.name, cases.least(case.name));
    }
    println!("{:42} {:6.2}", "bulk_1000, a handler", bulk_1000());

    println!("\n{:42} {:>6} {:>6}   asked", "", "median", "least");
    cases.print_ratio("shared", "floor_shared", "<= 1.2");
    cases.print_ratio("local", "floor_local", "<= 1.2");
    cases.print_ratio("route", "dyn_call", "<= 2");
    cases.print_ratio("shared_await", "shared", "<= 1.4");
    cases.print_ratio("shared_await_64", "shared_64", "<= 1.8");
    cases.print_ratio("rwlock_string_map", "shared", ">= 5");
    cases.print_ratio("shared_700", "shared", "<= 1.1");
    cases.print_ratio("local_700", "local", "<= 1.1");
    cases.print_scaling("two_threads", "one_thread", ">= 1.9");
    cases.print_layer("gates_5", "gates_0", "<= 1 ns");
    cases.print_layer("gates_off_5", "gates_0", "<= 1 ns");
    cases.print_layer("middleware_5", "gates_0", "ns");
}

/// Nanoseconds a handler of a registration of 1,000 at once, at least.
fn bulk_1000() -> f64 {
    let time = || {
        let start = Instant::now();
        let bus = fill_1000(QueryBus::builder().capacity(1000)).build();
        let nanos = start.elapsed().as_nanos() as f64;
        drop(bus.expect("names are unique"));
        nanos / 1000.0
    };
    (0..ROUNDS).map(|_| time()).fold(f64::MAX, f64::min)
}
