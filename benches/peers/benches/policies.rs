//! Runs the groups `policies` and `contended`: `cargo bench -p arcbus-peers --bench policies`.

use arcbus_peers::{contended, group, policies, runtime};
use criterion::{Criterion, criterion_group, criterion_main};

fn bench(criterion: &mut Criterion) {
    let runtime = runtime();
    let _inside = runtime.enter();
    group(criterion, "policies", policies());
    group(criterion, "contended", contended());
}

criterion_group!(benches, bench);
criterion_main!(benches);
