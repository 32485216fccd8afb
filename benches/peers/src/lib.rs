//! The cases of the benchmarks that compare arcbus with its peers.
#![allow(missing_docs, missing_debug_implementations, reason = "not a library")]

mod cache_threads;
#[path = "../../cases/mod.rs"]
pub mod cases;
mod contended;
mod messages;
mod ours;
mod peers;
mod repeat;

pub use cache_threads::cache_threads;
pub use contended::contended;
pub use ours::our_policies;
pub use peers::peer_policies;
pub use repeat::repeat;

use std::time::Duration;

use cases::rounds::Cases;
use criterion::Criterion;

/// A number a second that no benchmark reaches.
const PLENTY: u32 = 1_000_000_000;
/// A time after which no benchmark still runs.
const LATER: Duration = Duration::from_secs(30);

/// Returns every case of the group `policies`: ours on a route in the blocking lane, and the peers'
/// cases.
#[must_use]
pub fn policies() -> Cases<'static> {
    let mut cases = Cases::default();
    our_policies(&mut cases);
    peer_policies(&mut cases);
    cases
}

/// Returns a runtime for the peers that use tokio's timers.
///
/// # Panics
///
/// Panics if the system does not provide a runtime.
#[must_use]
pub fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .build()
        .expect("a runtime")
}

/// Times `cases` with criterion, as the group `name`.
pub fn group(criterion: &mut Criterion, name: &str, cases: Cases<'_>) {
    let mut group = criterion.benchmark_group(name);
    for mut case in cases.0 {
        group.bench_function(case.name, |bencher| {
            bencher.iter_custom(|calls| case.time(calls));
        });
    }
    group.finish();
}
