//! Times a dispatch through every handle, next to the floor, which is the cost of the primitives
//! alone.
//!
//! The command is `cargo bench -p arcbus-benches --bench dispatch`.

use std::hint::black_box;
use std::time::{Duration, Instant};

use arcbus::QueryBus;
use criterion::{BatchSize, Criterion, Throughput, criterion_group, criterion_main};

mod cases;
use cases::{
    Adder, Answer, Fixed, FloorLocal, FloorShared, NoOpLayer, Pair, RwLockStringMap, Through,
    answered, bus_64, bus_700, fill_1000, line, now, pair,
};

/// More bytes than the last-level cache holds.
const EVICTING_BYTES: usize = 96 << 20;

fn dispatch(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    let bus = bus_64();

    let adder = black_box(Adder(7));
    group.bench_function("direct_call", |b| b.iter(|| answered(adder.add(pair()))));
    let dynamic: Box<dyn Answer> = black_box(Box::new(Adder(7)));
    group.bench_function("dyn_call", |b| b.iter(|| answered(dynamic.answer(pair()))));
    let fixed = Fixed::new(Adder(7), Adder(7));
    group.bench_function("static_bus", |b| {
        b.iter(|| answered(black_box(&fixed).execute_blocking(pair())));
    });
    let mut route = bus.route::<Pair>().expect("registered");
    group.bench_function("route", |b| {
        b.iter(|| answered(route.execute_blocking(pair())))
    });
    let mut floor = FloorLocal::new();
    group.bench_function("floor_local", |b| b.iter(|| answered(floor.call(pair()))));
    let mut local = bus.local();
    group.bench_function("local", |b| {
        b.iter(|| answered(local.execute_blocking(pair())))
    });
    let floor = FloorShared::new();
    group.bench_function("floor_shared", |b| b.iter(|| answered(floor.call(pair()))));
    group.bench_function("shared", |b| {
        b.iter(|| answered(bus.execute_blocking(pair())))
    });
    group.bench_function("shared_await", |b| {
        b.iter(|| answered(now(bus.execute(pair()))))
    });
    group.bench_function("shared_64", |b| {
        b.iter(|| answered(bus.execute_blocking(line())));
    });
    group.bench_function("shared_await_64", |b| {
        b.iter(|| answered(now(bus.execute(line()))));
    });
    let map = RwLockStringMap::new();
    group.bench_function("rwlock_string_map", |b| {
        b.iter(|| answered(map.call(pair())))
    });
    group.finish();
}

fn dispatch_700(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch_700");
    let bus = bus_700();
    let mut local = bus.local();
    group.bench_function("local", |b| {
        b.iter(|| answered(local.execute_blocking(pair())))
    });
    group.bench_function("shared", |b| {
        b.iter(|| answered(bus.execute_blocking(pair())))
    });
    group.finish();
}

/// Measures `shared` on one thread and on two threads concurrently, as the time of one thread's
/// dispatch.
fn threads(c: &mut Criterion) {
    let mut group = c.benchmark_group("threads");
    let bus = bus_64();
    for count in [1, 2] {
        group.bench_function(count.to_string(), |b| {
            b.iter_custom(|iterations| {
                std::thread::scope(|scope| {
                    let workers: Vec<_> = (0..count)
                        .map(|_| scope.spawn(|| time_shared(&bus, iterations)))
                        .collect();
                    let times = workers
                        .into_iter()
                        .map(|worker| worker.join().expect("no panic"));
                    times.max().unwrap_or_default()
                })
            });
        });
    }
    group.finish();
}

fn time_shared(bus: &QueryBus, iterations: u64) -> Duration {
    let start = Instant::now();
    for _ in 0..iterations {
        let _ = black_box(answered(bus.execute_blocking(pair())));
    }
    start.elapsed()
}

fn registry(c: &mut Criterion) {
    let mut group = c.benchmark_group("registry");
    group.throughput(Throughput::Elements(1000));
    group.bench_function("bulk_1000", |b| {
        b.iter_with_large_drop(|| {
            fill_1000(QueryBus::builder().capacity(1000))
                .build()
                .expect("names are unique")
        });
    });
    group.throughput(Throughput::Elements(1));
    let (_bus, registrar) = fill_1000(QueryBus::builder())
        .open()
        .expect("names are unique");
    group.bench_function("register_into_1000", |b| {
        b.iter_batched(
            || drop(registrar.deregister::<Pair>()),
            |()| {
                registrar
                    .register::<Pair, _>(Adder(7))
                    .expect("just deregistered")
            },
            BatchSize::PerIteration,
        );
    });
    group.finish();
}

/// Times a route with `$layer` for each of the tokens, in the blocking lane.
macro_rules! layered {
    ($group:ident, $name:literal, $($method:ident($layer:expr)),*) => {
        let bus = QueryBus::builder()$(.$method($layer))*
            .register::<Pair, _>(Adder(7))
            .build()
            .expect("one name");
        let mut route = bus.route::<Pair>().expect("registered");
        $group.bench_function($name, |b| {
            b.iter(|| answered(route.execute_blocking(pair())));
        });
    };
}

fn layers(c: &mut Criterion) {
    let mut group = c.benchmark_group("layers");
    let on = NoOpLayer;
    let off = black_box(None::<NoOpLayer>);
    layered!(group, "gates_0",);
    layered!(group, "gates_1", layer(on));
    layered!(
        group,
        "gates_5",
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on)
    );
    layered!(
        group,
        "gates_10",
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on),
        layer(on)
    );
    layered!(group, "gates_off_1", layer(off));
    layered!(
        group,
        "gates_off_5",
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off)
    );
    layered!(
        group,
        "gates_off_10",
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off),
        layer(off)
    );
    layered!(group, "middleware_1", wrap(Through));
    layered!(
        group,
        "middleware_5",
        wrap(Through),
        wrap(Through),
        wrap(Through),
        wrap(Through),
        wrap(Through)
    );
    group.finish();
}

/// Times single dispatches with the tables out of the caches. The times contain two readings of the
/// clock, which the case `clock` shows alone.
fn cold(c: &mut Criterion) {
    let mut group = c.benchmark_group("cold");
    group.sample_size(10);
    let mut evicted = vec![0_u64; EVICTING_BYTES / size_of::<u64>()];
    let bus = bus_700();
    let mut local = bus.local();
    let mut route = bus.route::<Pair>().expect("registered");
    let floor = FloorShared::new();
    let mut bench = |name: &str, call: &mut dyn FnMut() -> u64| {
        group.bench_function(name, |b| {
            b.iter_custom(|iterations| {
                (0..iterations)
                    .map(|_| {
                        evicted.iter_mut().for_each(|word| *word += 1);
                        black_box(&evicted);
                        let start = Instant::now();
                        black_box(call());
                        start.elapsed()
                    })
                    .sum()
            });
        });
    };
    bench("clock", &mut || 0);
    bench("route", &mut || answered(route.execute_blocking(pair())));
    bench("local", &mut || answered(local.execute_blocking(pair())));
    bench("floor_shared", &mut || answered(floor.call(pair())));
    bench("shared", &mut || answered(bus.execute_blocking(pair())));
    bench("shared_await", &mut || answered(now(bus.execute(pair()))));
    group.finish();
}

criterion_group!(
    benches,
    dispatch,
    dispatch_700,
    threads,
    registry,
    layers,
    cold
);
criterion_main!(benches);
