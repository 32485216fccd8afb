//! Times single dispatches, and shows whether registration disturbs them.
//!
//! The command `cargo bench -p arcbus-benches --bench percentiles` prints a table. Each dispatch is
//! timed on its own, so every figure includes a reading of the clock, which the row `clock` shows
//! alone. Idle stretches alternate with stretches in which another thread replaces a handler 1,000
//! times a second.

use std::hint::black_box;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use arcbus::{Query, QueryBus, Registrar};
use quanta::Clock;

mod cases;
use cases::{Adder, Builder, Pair, answered, fill_64, pair};

const ROUNDS: usize = 20;
const DISPATCHES: usize = 500_000;
const SWAP_EVERY: Duration = Duration::from_millis(1);
const PARTS: [(&str, f64); 6] = [
    ("p50", 0.5),
    ("p90", 0.9),
    ("p99", 0.99),
    ("p999", 0.999),
    ("p9999", 0.9999),
    ("max", 1.0),
];

/// Times of single calls, in raw ticks of the clock.
struct Times<'a> {
    clock: &'a Clock,
    ticks: Vec<u64>,
}

impl<'a> Times<'a> {
    fn new(clock: &'a Clock) -> Self {
        Self {
            clock,
            ticks: Vec::with_capacity(ROUNDS * DISPATCHES),
        }
    }

    fn record<T>(&mut self, mut call: impl FnMut() -> T) {
        for _ in 0..DISPATCHES {
            let start = self.clock.raw();
            black_box(call());
            self.ticks.push(self.clock.raw().saturating_sub(start));
        }
    }

    /// Returns the time that the share `part` of the calls did not exceed, in nanoseconds.
    fn percentile(&self, part: f64) -> u64 {
        let last = self.ticks.len() - 1;
        let index = (last as f64 * part).round() as usize;
        self.clock.delta_as_nanos(0, self.ticks[index])
    }

    fn print(&mut self, name: &str) {
        self.ticks.sort_unstable();
        print!("{name:24}");
        for (_, part) in PARTS {
            print!("{:>9}", self.percentile(part));
        }
        println!();
    }
}

fn open(builder: Builder) -> (QueryBus, Registrar<Query, arcbus::NoLayers>) {
    fill_64(builder)
        .register::<Pair, _>(Adder(7))
        .open()
        .expect("names are unique")
}

/// Replaces a handler at a steady rate until `stop` is set, and returns the number of swaps.
fn swap_until(stop: &AtomicBool, registrar: &Registrar<Query, arcbus::NoLayers>) -> u32 {
    let begun = Instant::now();
    let mut swaps = 0;
    while !stop.load(Ordering::Relaxed) {
        drop(registrar.replace::<Pair, _>(Adder(7)).expect("registered"));
        swaps += 1;
        thread::sleep((SWAP_EVERY * swaps).saturating_sub(begun.elapsed()));
    }
    swaps
}

fn during_swaps(
    registrar: &Registrar<Query, arcbus::NoLayers>,
    measure: impl FnOnce(),
) -> (u32, Duration) {
    let stop = AtomicBool::new(false);
    thread::scope(|scope| {
        let begun = Instant::now();
        let writer = scope.spawn(|| swap_until(&stop, registrar));
        measure();
        stop.store(true, Ordering::Relaxed);
        (writer.join().expect("the writer"), begun.elapsed())
    })
}

fn main() {
    let clock = Clock::new();
    let (bus, registrar) = open(QueryBus::builder());
    let mut local = bus.local();
    let mut shared = || answered(bus.execute_blocking(pair()));
    let mut local = || answered(local.execute_blocking(pair()));
    let mut times = [(); 5].map(|()| Times::new(&clock));
    let [alone, shared_idle, shared_busy, local_idle, local_busy] = &mut times;
    let (mut swaps, mut spent) = (0, Duration::ZERO);
    for _ in 0..ROUNDS {
        alone.record(|| ());
        shared_idle.record(&mut shared);
        local_idle.record(&mut local);
        let (made, took) = during_swaps(&registrar, || {
            shared_busy.record(&mut shared);
            local_busy.record(&mut local);
        });
        swaps += made;
        spent += took;
    }
    print!("{:24}", "ns");
    PARTS.iter().for_each(|(name, _)| print!("{name:>9}"));
    println!();
    let names = [
        "clock",
        "shared, idle",
        "shared, during swaps",
        "local, idle",
        "local, during swaps",
    ];
    for (name, times) in names.into_iter().zip(&mut times) {
        times.print(name);
    }
    println!(
        "{} dispatches a row; {:.0} swaps a second",
        ROUNDS * DISPATCHES,
        f64::from(swaps) / spent.as_secs_f64()
    );
}
