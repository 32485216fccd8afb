//! What a dispatch costs, through every handle, next to the floor: what the primitives alone cost.
//!
//! `cargo bench --bench dispatch`

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};

mod cases;
use cases::{
    Adder, Answer, Fixed, FloorLocal, FloorShared, Line, Pair, RwLockStringMap, bus_64, bus_700,
    now,
};

fn dispatch(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch");
    let bus = bus_64();

    let adder = black_box(Adder(7));
    group.bench_function("direct_call", |b| {
        b.iter(|| adder.add(black_box(Pair(1, 2))))
    });
    let dynamic: Box<dyn Answer> = black_box(Box::new(Adder(7)));
    group.bench_function("dyn_call", |b| {
        b.iter(|| dynamic.answer(black_box(Pair(1, 2))))
    });
    let fixed = Fixed::new(Adder(7), Adder(7));
    group.bench_function("static_bus", |b| {
        b.iter(|| black_box(&fixed).execute_blocking(black_box(Pair(1, 2))));
    });
    let mut route = bus.route::<Pair>().expect("registered");
    group.bench_function("route", |b| {
        b.iter(|| route.execute_blocking(black_box(Pair(1, 2))))
    });
    let mut floor = FloorLocal::new();
    group.bench_function("floor_local", |b| {
        b.iter(|| floor.call(black_box(Pair(1, 2))))
    });
    let mut local = bus.local();
    group.bench_function("local", |b| {
        b.iter(|| local.execute_blocking(black_box(Pair(1, 2))))
    });
    let floor = FloorShared::new();
    group.bench_function("floor_shared", |b| {
        b.iter(|| floor.call(black_box(Pair(1, 2))))
    });
    group.bench_function("shared", |b| {
        b.iter(|| bus.execute_blocking(black_box(Pair(1, 2))))
    });
    group.bench_function("shared_await", |b| {
        b.iter(|| now(bus.execute(black_box(Pair(1, 2)))))
    });
    group.bench_function("shared_64", |b| {
        b.iter(|| bus.execute_blocking(black_box(Line([1; 8]))));
    });
    group.bench_function("shared_await_64", |b| {
        b.iter(|| now(bus.execute(black_box(Line([1; 8])))));
    });
    let map = RwLockStringMap::new();
    group.bench_function("rwlock_string_map", |b| {
        b.iter(|| map.call(black_box(Pair(1, 2))))
    });
    group.finish();
}

fn dispatch_700(c: &mut Criterion) {
    let mut group = c.benchmark_group("dispatch_700");
    let bus = bus_700();
    let mut local = bus.local();
    group.bench_function("local", |b| {
        b.iter(|| local.execute_blocking(black_box(Pair(1, 2))))
    });
    group.bench_function("shared", |b| {
        b.iter(|| bus.execute_blocking(black_box(Pair(1, 2))))
    });
    group.finish();
}

criterion_group!(benches, dispatch, dispatch_700);
criterion_main!(benches);
