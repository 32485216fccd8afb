//! Times registrations: `cargo bench -p arcbus-benches --bench registration`.
//!
//! The cases take turns in many rounds, and the table shows the least and the median nanoseconds.

use std::hint::black_box;
use std::time::Instant;

use arcbus::QueryBus;

#[macro_use]
mod cases;
use cases::{Adder, Builder, Filler, Pair};

const ROUNDS: usize = 2000;

fn fill_100(mut builder: Builder) -> Builder {
    macro_rules! add {
        ($n:expr) => {
            builder = builder.register::<Filler<$n>, _>(Adder(1));
        };
    }
    hundred!(add, 0);
    builder
}

/// Returns the nanoseconds of each of a hundred handlers.
fn a_handler(work: impl FnOnce()) -> f64 {
    let start = Instant::now();
    work();
    start.elapsed().as_nanos() as f64 / 100.0
}

/// Registers a hundred handlers together, in one update of an empty bus.
fn batch_100() -> f64 {
    let (bus, registrar) = QueryBus::builder().open().expect("empty");
    let time = a_handler(|| {
        let added = registrar.update(|batch| {
            macro_rules! add {
                ($n:expr) => {
                    batch.register::<Filler<$n>, _>(Adder(1));
                };
            }
            hundred!(add, 0);
        });
        drop(added.expect("names are unique"));
    });
    drop(black_box(bus));
    time
}

/// Registers a hundred handlers one after the other, on a bus that is open.
fn one_by_one_100() -> f64 {
    let (bus, registrar) = QueryBus::builder().open().expect("empty");
    let time = a_handler(|| {
        macro_rules! add {
            ($n:expr) => {
                registrar.must_register::<Filler<$n>, _>(Adder(1));
            };
        }
        hundred!(add, 0);
    });
    drop(black_box(bus));
    time
}

/// Registers a hundred handlers in a builder, and builds the bus.
fn builder_100() -> f64 {
    let mut built = None;
    let time = a_handler(|| {
        built = Some(
            fill_100(QueryBus::builder())
                .build()
                .expect("names are unique"),
        );
    });
    drop(black_box(built));
    time
}

/// Replaces a handler on a bus of a hundred handlers.
fn replace_in_100() -> f64 {
    let builder = fill_100(QueryBus::builder());
    let (bus, registrar) = builder
        .register::<Pair, _>(Adder(1))
        .open()
        .expect("unique");
    let time = a_handler(|| {
        for word in 0..100 {
            let replaced = registrar.replace::<Pair, _>(Adder(word));
            drop(replaced.expect("registered"));
        }
    });
    drop(black_box(bus));
    time
}

/// A case with its name and a function that returns the nanoseconds of a registration.
type Case = (&'static str, fn() -> f64);

const CASES: [Case; 4] = [
    ("batch_100", batch_100),
    ("builder_100", builder_100),
    ("one_by_one_100", one_by_one_100),
    ("replace_in_100", replace_in_100),
];

/// Runs the cases whose names are the arguments, or all cases without arguments.
fn main() {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let named = |name: &str| arguments.iter().any(|argument| argument == name);
    let any = CASES.iter().any(|(name, _)| named(name));
    let cases: Vec<_> = CASES
        .iter()
        .filter(|(name, _)| !any || named(name))
        .collect();
    let mut times = vec![Vec::with_capacity(ROUNDS); cases.len()];
    for _ in 0..ROUNDS {
        for ((_, case), times) in cases.iter().zip(&mut times) {
            times.push(case());
        }
    }
    for ((name, _), mut times) in cases.into_iter().zip(times) {
        times.sort_by(f64::total_cmp);
        println!("{name} {:.1} {:.1}", times[0], times[ROUNDS / 2]);
    }
}
