//! Runs the groups `repeat` and `cache_threads`: `cargo bench -p arcbus-peers --bench repeat`.

use arcbus_peers::{cache_threads, group, repeat, runtime};
use criterion::{Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    group(criterion, "repeat", repeat());
    group(criterion, "cache_threads", cache_threads());
}

criterion_group!(benches, bench);
criterion_main!(benches);
