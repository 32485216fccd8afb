//! Groups `policies` and `contended`: `cargo bench -p arcbus-peers --bench policies`.

use arcbus_peers::cases::rounds::Cases;
use arcbus_peers::{contended, policies, runtime};
use criterion::{Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    group(criterion, "policies", policies());
    group(criterion, "contended", contended());
}

fn group(criterion: &mut Criterion, name: &str, cases: Cases<'_>) {
    let mut group = criterion.benchmark_group(name);
    for mut case in cases.0 {
        group.bench_function(case.name, |bencher| {
            bencher.iter_custom(|calls| case.time(calls));
        });
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
