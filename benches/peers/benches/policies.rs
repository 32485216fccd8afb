//! Group `policies`: `cargo bench -p arcbus-peers --bench policies`.

use arcbus_peers::{policies, runtime};
use criterion::{Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    let mut group = criterion.benchmark_group("policies");
    for mut case in policies().0 {
        group.bench_function(case.name, |bencher| {
            bencher.iter_custom(|calls| case.time(calls));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
